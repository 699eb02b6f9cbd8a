"""The page of one job: where it stands, and once it has finished, what it found."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.components.charts import make_charts
from shoal.producer.job import Job
from shoal.producer.results.catalogue import Catalogue
from shoal.producer.results.names import group_clusters
from shoal.producer.web.pages.downloads import list_downloads
from shoal.producer.web.pages.gallery import Number, Picture, Slice, show_images
from shoal.producer.web.pages.layout import find_lack, shared_values
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import JobDep, Site, SiteDep, StatusDep
from shoal.shared.findings import ClusterSummary, PlotName
from shoal.shared.jobs import State, Status

CLUSTERS_PER_PAGE = 20
SHOWN_OF_CLUSTER = 8
SHOWN_OUTLIERS = 16


PLOT_TITLES = {
    PlotName.CONTACT_SHEET: "contact sheet",
    PlotName.SCATTER: "two components",
    PlotName.SIZES: "sizes",
    PlotName.CHOICE: "number of clusters",
    PlotName.VARIANCE: "variance",
}

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}")
def show_job(site: SiteDep, job: JobDep, status: StatusDep, number: Number = 1) -> Response:
    """One job: its progress, and its results once it has finished."""
    found: dict[str, Any] | None = None
    if status.state is State.FINISHED:
        found = _collect_results(site, job, status, number)
    lack = find_lack(site, [status])
    return Page("job.html", status=status, found=found, lack=lack, **shared_values(site))


def _collect_results(site: Site, job: Job, status: Status, number: int) -> dict[str, Any]:
    """Collect what the page of a finished job shows of its results."""
    summary, catalogue = job.summary(), site.catalogue(job)
    groups = group_clusters(summary.clusters)
    part = Slice(number, CLUSTERS_PER_PAGE, len(groups))
    available = job.plots()
    return {
        "summary": summary,
        "part": part,
        "groups": [list(_show_clusters(catalogue, g)) for g in groups[part.start : part.end]],
        "outliers": show_images(catalogue, summary.outliers[:SHOWN_OUTLIERS], summary.copies),
        "charts": make_charts(summary),
        "plots": {name: title for name, title in PLOT_TITLES.items() if name in available},
        "downloads": list(list_downloads(job, status, summary)),
    }


def _show_clusters(
    catalogue: Catalogue, clusters: Sequence[ClusterSummary]
) -> Iterator[tuple[ClusterSummary, list[Picture]]]:
    """Yield clusters with pictures of their most typical images."""
    for cluster in clusters:
        shown = cluster.representatives[:SHOWN_OF_CLUSTER]
        yield cluster, show_images(catalogue, shown, cluster.copies)
