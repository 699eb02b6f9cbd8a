"""The page: a report's parts, put together in one file of limited size."""

from base64 import b64encode
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from producer.job import Job
from producer.report.clusters import make_clusters
from producer.report.command import repeat_command
from producer.report.failures import sum_up_failures
from producer.report.map import bokeh_script, make_map
from producer.report.pages import choose_pages
from producer.report.points import find_points
from producer.report.text import show_count, show_name, show_share, show_time
from shared.jobs import Status, Summary
from shared.palette import COLOURS

MOST_BYTES = 15_000_000
# What the map and the clusters do not show.
PLOTS = {
    "choice": "How the number of clusters was chosen",
    "sizes": "Images in each cluster",
    "variance": "Variance that the components explain",
}


def make_report(job: Job) -> str:
    """Return the report of a finished job as HTML, below 15 MB.

    Raises:
        NotFinishedError: The job has no result yet, or none any more.
        JobFailedError: The job failed.
        JobCancelledError: The job was cancelled.
    """
    parts = make_parts(job)
    template = make_environment().get_template("report.html")
    bare = template.render(parts, pages=[])
    room = MOST_BYTES - len(bare.encode(errors="replace"))
    pages = choose_pages(list(job.results.thumbnails()), room)
    return template.render(parts, pages=pages)


def make_parts(job: Job) -> dict[str, Any]:
    """Return what the template shows, but for the pages of thumbnails."""
    summary = job.summary()
    status = job.status()
    points = find_points(job.results, status.images.total)
    plots = job.plots()
    return {
        "status": status,
        "summary": summary,
        "map": make_map(points, summary.clusters, summary.explained_variance_ratio),
        "clusters": make_clusters(summary, {}),
        "failures": sum_up_failures(job.failures()),
        "plots": [(PLOTS[n], b64encode(plots[n]).decode()) for n in PLOTS if n in plots],
        "parameters": list_parameters(status, summary),
        "command": repeat_command(status.request, summary),
        "bokeh": bokeh_script(),
        "colours": COLOURS,
    }


def list_parameters(status: Status, summary: Summary) -> list[tuple[str, str]]:
    """Return what the result depends on, and what it came to, by name."""
    request = status.request
    return [
        ("Features", show_name(request.features)),
        ("Image size", f"{request.image_size} × {request.image_size} pixels"),
        ("Clusters", str(request.clusters)),
        ("Random state", str(request.random_state)),
        ("Components", str(summary.n_components)),
        ("Variance explained", show_share(sum(summary.explained_variance_ratio))),
        ("Images fitted", f"{summary.rows_fitted:,}"),
        ("Inertia", f"{summary.inertia:,.1f}"),
        ("Images loaded", f"{status.images.loaded:,} of {status.images.total:,}"),
    ]


@cache
def make_environment() -> Environment:
    """Return the environment of the templates; whatever they are given is escaped."""
    environment = Environment(
        loader=PackageLoader("producer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": show_count,
        "name": show_name,
        "share": show_share,
        "time": show_time,
    }
    return environment
