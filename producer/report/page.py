"""The HTML page of a report: one file of limited size."""

from typing import Any

from shoal.producer.components import load_templates
from shoal.producer.components.charts import make_charts
from shoal.producer.report.clusters import make_clusters
from shoal.producer.report.colours import measure_colours
from shoal.producer.report.command import make_repeat_command, make_retry_command
from shoal.producer.report.contents import Contents, read_contents
from shoal.producer.report.duplicates import make_duplicates
from shoal.producer.report.failures import summarize_failures
from shoal.producer.report.map import make_map
from shoal.producer.report.pictures import PictureBudget
from shoal.producer.report.scripts import map_script
from shoal.producer.report.sheets import choose_sheets
from shoal.producer.report.text import show_duplicates, show_name, show_time
from shoal.producer.results import JobResults
from shoal.shared.findings import Summary
from shoal.shared.jobs import Status
from shoal.shared.text import show_share

MOST_BYTES = 15_000_000
TEMPLATES = load_templates("shoal.producer.report", name=show_name, time=show_time)


def make_report(job: JobResults) -> bytes:
    """Make the report of a finished job as HTML, below 15 MB.

    Raises:
        NotFinishedError: The job has no result yet, or its result has expired.
        JobFailedError: The job failed.
        JobCancelledError: The job was cancelled.
    """
    return render_report(read_contents(job))


def render_report(contents: Contents) -> bytes:
    """Render a report as HTML, with as many sheets of thumbnails as the limit leaves room for."""
    template, parts = TEMPLATES.get_template("report.html"), _make_parts(contents)
    bare = len(template.render(parts, sheets=[], pictured="").encode())
    sheets = contents.sheets
    chosen = choose_sheets(sheets, MOST_BYTES - bare)
    note = _explain_missing_pictures(len(chosen), sum(1 for sheet in sheets if sheet), len(sheets))
    return template.render(parts, sheets=chosen, pictured=note).encode()


def _make_parts(contents: Contents) -> dict[str, Any]:
    """Make the values for the template of a report, except the sheets of thumbnails."""
    status, summary = contents.status, contents.summary
    budget = PictureBudget(contents.pictures)
    colours = measure_colours(contents.points, contents.sheets)
    return {
        "map": make_map(contents.points, summary),
        "map_script": map_script(),
        "status": status,
        "summary": summary,
        "clusters": make_clusters(summary, budget, colours),
        "duplicates": make_duplicates(summary.duplicates, contents.duplicates, budget),
        "failures": summarize_failures(contents.failures),
        "charts": make_charts(summary),
        "parameters": _list_parameters(status, summary),
        "command": make_repeat_command(status.request),
        "retry": make_retry_command(status),
    }


def _explain_missing_pictures(shown: int, present: int, batches: int) -> str:
    """Say why some points have no picture; "" if all have one."""
    if not present:
        return (
            "The thumbnails of this job cannot be read here, or a version of Shoal made it that"
            " kept none."
        )
    if shown < present:
        return f"To limit the file's size, {1 - shown / batches:.0%} of the points have no picture."
    return ""


def _list_parameters(status: Status, summary: Summary) -> list[tuple[str, str]]:
    """List the options and key figures of the result, each with its name."""
    request = status.request
    return [
        ("Features", show_name(request.features)),
        ("Image size", f"{request.image_size} × {request.image_size} pixels"),
        ("Clusters", " ".join(filter(None, (str(request.clusters), request.level)))),
        ("Algorithm", request.algorithm),
        ("Random state", str(request.random_state)),
        ("Components", str(summary.n_components)),
        ("Variance explained", show_share(sum(summary.explained_variance_ratio))),
        ("Images fitted", f"{summary.rows_fitted:,}"),
        ("Inertia", f"{summary.inertia:,.1f}"),
        ("Images loaded", f"{status.images.loaded:,} of {status.images.total:,}"),
        ("Duplicates", show_duplicates(summary.duplicates)),
    ]
