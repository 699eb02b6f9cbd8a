"""The API's search and recommendation: images like others of a job, or like a new one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from shoal.producer.job import Job
from shoal.producer.results.catalogue import Catalogue
from shoal.producer.web.api.jobs import Count
from shoal.producer.web.rendering import Json
from shoal.producer.web.site import JobDep, SiteDep, enforce, only_some
from shoal.shared.findings import Match

MOST_IMAGES = 100
SEARCHING = "Other searches are going on"

Paths = Annotated[list[str], Query(max_length=MOST_IMAGES, description="Paths of images.")]
Numbers = Annotated[
    list[Annotated[int, Query(ge=0, le=2**53)]],
    Query(max_length=MOST_IMAGES, description="Numbers of images, in the order of the folder."),
]
MaxDistance = Annotated[float | None, Query(ge=0, description="Images farther are left out.")]
Duplicates = Annotated[bool, Query(description="Each image of a group of duplicates, not one.")]
Rocchio = Annotated[bool, Query(description="Near the mean of what is liked.")]
Content = Annotated[
    bytes, Body(media_type="application/octet-stream", description="Content of an image file.")
]

router = APIRouter(prefix="/jobs/{job_id}")


@dataclass(frozen=True)
class NumberedMatch:
    """A match, with the number by which the API has its thumbnail."""

    number: int
    rank: int
    path: str
    label: int
    distance: float


@router.get("/search", response_model=list[NumberedMatch])
def search(
    site: SiteDep,
    job: JobDep,
    image: Paths = [],  # noqa: B006  FastAPI copies it
    number: Numbers = [],  # noqa: B006  likewise
    count: Count = 20,
    max_distance: MaxDistance = None,
    duplicates: Duplicates = False,
) -> Response:
    """The images that are most like some of the job, nearest first."""
    catalogue = site.catalogue(job)
    given = _find_numbers(catalogue, image, number)
    with only_some(site.searches, SEARCHING):
        found = job.search(*given, count=count, max_distance=max_distance, duplicates=duplicates)
    return _show(catalogue, found)


@router.post("/search", response_model=list[NumberedMatch])
def search_by_content(
    site: SiteDep,
    job: JobDep,
    content: Content,
    count: Count = 20,
    max_distance: MaxDistance = None,
    duplicates: Duplicates = False,
) -> Response:
    """The images that are most like a new one, whose file is the body."""
    enforce(site.estimate_limit)
    catalogue = site.catalogue(job)
    with only_some(site.questions, "Workers are being asked about other new images"):
        _ensure_running(site, job)
        found = job.search(content, count=count, max_distance=max_distance, duplicates=duplicates)
    return _show(catalogue, found)


@router.get("/recommend", response_model=list[NumberedMatch])
def recommend(
    site: SiteDep,
    job: JobDep,
    like: Paths = [],  # noqa: B006  FastAPI copies it
    like_number: Numbers = [],  # noqa: B006  likewise
    dislike: Paths = [],  # noqa: B006  likewise
    dislike_number: Numbers = [],  # noqa: B006  likewise
    count: Count = 20,
    rocchio: Rocchio = False,
    duplicates: Duplicates = False,
) -> Response:
    """Images like those that somebody likes, and unlike those that they do not, best first."""
    catalogue = site.catalogue(job)
    likes = _find_numbers(catalogue, like, like_number)
    dislikes = _find_numbers(catalogue, dislike, dislike_number)
    with only_some(site.searches, SEARCHING):
        found = job.recommend(likes, dislikes, count=count, rocchio=rocchio, duplicates=duplicates)
    return _show(catalogue, found)


def _find_numbers(catalogue: Catalogue, paths: Sequence[str], numbers: Sequence[int]) -> list[int]:
    """Return the numbers of images of the job: what lies elsewhere on this machine is no image.

    Raises:
        UsageError: The job has no such image.
    """
    return [*map(catalogue.number, paths), *numbers]


def _ensure_running(site: SiteDep, job: Job) -> None:
    if job.ensure_running:
        with site.workers_lock:
            job.ensure_running()


def _show(catalogue: Catalogue, matches: Sequence[Match]) -> Response:
    return Json(
        [
            NumberedMatch(catalogue.number(m.path), m.rank, m.path, m.label, m.distance)
            for m in matches
        ]
    )
