"""The page of one cluster: all of its images."""

from enum import StrEnum

from fastapi import APIRouter, HTTPException
from starlette.responses import Response

from shoal.producer.results.catalogue import Member
from shoal.producer.web.api.results import Label
from shoal.producer.web.pages.gallery import IMAGES_PER_PAGE, Number, Picture, Slice
from shoal.producer.web.pages.layout import shared_values
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import JobDep, SiteDep, StatusDep
from shoal.shared.findings import NOISE, Summary


class Order(StrEnum):
    """Which images of a cluster come first."""

    NEAREST = "nearest"
    FARTHEST = "farthest"


router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/clusters/{label}")
def show_cluster(
    site: SiteDep,
    job: JobDep,
    status: StatusDep,
    label: Label,
    number: Number = 1,
    order: Order = Order.NEAREST,
) -> Response:
    """The images of a cluster, nearest to its centroid first or farthest."""
    summary = job.summary()
    if label >= len(summary.clusters):
        raise HTTPException(404, f"Job {job.id} has no cluster {label}.")
    sizes = {cluster.label: cluster.size for cluster in summary.clusters} | {NOISE: summary.noise}
    known = {cluster.label: cluster for cluster in summary.clusters}.get(label)
    part = Slice(number, IMAGES_PER_PAGE, sizes.get(label, 0))
    is_turned = order is Order.FARTHEST
    found = site.catalogue(job).members(label, part.start, part.size, farthest=is_turned)
    return Page(
        "cluster.html",
        status=status,
        label=label,
        name=known.name if known else "",
        n_far=known.far if known else 0,
        order=order,
        groups=summary.groups,
        siblings=_find_siblings(summary, label),
        members=[_show_member(member) for member in found],
        part=part,
        **shared_values(site),
    )


def _find_siblings(summary: Summary, label: int) -> list[int]:
    """Find the other clusters that have the same name."""
    group = next((group.labels for group in summary.groups if label in group.labels), [])
    return [other for other in group if other != label]


def _show_member(member: Member) -> Picture:
    return Picture(member.number, member.path, "far from its cluster" if member.far else "")
