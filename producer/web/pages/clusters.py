"""The page of one cluster: all of its images."""

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.web.api.results import Label
from shoal.producer.web.pages.gallery import Number, Slice
from shoal.producer.web.pages.layout import shared_values
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import JobDep, SiteDep, StatusDep
from shoal.shared.findings import NOISE, Summary

IMAGES_PER_PAGE = 60

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/clusters/{label}")
def show_cluster(
    site: SiteDep, job: JobDep, status: StatusDep, label: Label, number: Number = 1
) -> Response:
    """The images of a cluster, nearest to its centroid first."""
    summary = job.summary()
    sizes = {cluster.label: cluster.size for cluster in summary.clusters} | {NOISE: summary.noise}
    names = {cluster.label: cluster.name for cluster in summary.clusters}
    part = Slice(number, IMAGES_PER_PAGE, sizes.get(label, 0))
    members = site.catalogue(job).members(label, part.start, part.size)
    return Page(
        "cluster.html",
        status=status,
        label=label,
        name=names.get(label, ""),
        groups=summary.groups,
        siblings=_find_siblings(summary, label),
        members=members,
        part=part,
        **shared_values(site),
    )


def _find_siblings(summary: Summary, label: int) -> list[int]:
    """Find the other clusters that have the same name."""
    group = next((group.labels for group in summary.groups if label in group.labels), [])
    return [other for other in group if other != label]
