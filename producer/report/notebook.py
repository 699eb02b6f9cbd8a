"""A job as HTML in a notebook: where it stands, and what it found."""

from base64 import b64encode
from html import escape

from shoal.producer.report.text import show_name
from shoal.producer.results import JobResults
from shoal.producer.templates import load_templates
from shoal.shared.errors import leave_out_calls
from shoal.shared.findings import PlotName
from shoal.shared.jobs import State
from shoal.shared.text import show_count

TEMPLATES = load_templates("shoal.producer.report", count=show_count, name=show_name)


def render_notebook(job: JobResults, report: str | None) -> str:
    """Render a job as HTML for a notebook, whatever state it is in; nothing is raised.

    Args:
        job: The job.
        report: Where its report was written; None if it was not.
    """
    try:
        return _render(job, report)
    # A notebook shows a traceback in place of the job otherwise.
    except Exception as error:
        return (
            f"<p><strong>Job {escape(job.id)}</strong>: {escape(leave_out_calls(str(error)))}</p>"
        )


def _render(job: JobResults, report: str | None) -> str:
    status = job.status()
    is_finished = status.state is State.FINISHED
    sheet = job.plots().get(PlotName.CONTACT_SHEET) if is_finished else None
    return TEMPLATES.get_template("notebook.html").render(
        status=status,
        error=leave_out_calls(status.error or ""),
        summary=job.summary() if is_finished else None,
        sheet=b64encode(sheet).decode() if sheet else "",
        report=report,
    )
