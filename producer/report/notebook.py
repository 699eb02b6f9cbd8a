"""A job as HTML in a notebook: where it stands, and what it found."""

from collections.abc import Mapping
from dataclasses import replace
from html import escape

from shoal.producer.components import load_templates
from shoal.producer.report.clusters import Group, make_clusters
from shoal.producer.report.pictures import PictureBudget
from shoal.producer.report.text import show_name
from shoal.producer.results import JobResults
from shoal.shared.errors import leave_out_calls
from shoal.shared.findings import Summary
from shoal.shared.jobs import State

# Clusters that are shown, the largest.
CLUSTERS_SHOWN = 6
# A notebook keeps what its cells show.
CELL_BYTES = 500_000

TEMPLATES = load_templates("shoal.producer.report", name=show_name)


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
    summary = job.summary() if is_finished else None
    return TEMPLATES.get_template("notebook.html").render(
        status=status,
        error=leave_out_calls(status.error or ""),
        summary=summary,
        left_out=len(summary.clusters) - CLUSTERS_SHOWN if summary else 0,
        groups=_show_largest(summary, job.results.pictures()) if summary else [],
        report=report,
    )


def _show_largest(summary: Summary, pictures: Mapping[str, bytes]) -> list[Group]:
    """Return the largest clusters with their pictures, those of one name together."""
    largest = sorted(summary.clusters, key=lambda cluster: -cluster.size)[:CLUSTERS_SHOWN]
    shown = replace(summary, clusters=largest, outliers=[])
    return make_clusters(shown, PictureBudget(pictures, CELL_BYTES), {}).groups
