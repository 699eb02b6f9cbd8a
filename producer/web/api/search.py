"""The API's search and recommendation: images like others of a job, or like a new one."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from shoal.producer.results.catalogue import Catalogue
from shoal.producer.web.api.jobs import Count
from shoal.producer.web.rendering import Json
from shoal.producer.web.site import JobDep, SiteDep, enforce, only_some
from shoal.shared.errors import UsageError
from shoal.shared.findings import Match

MOST_IMAGES = 100
SEARCHING = "Other searches are going on"
ASKING = "Workers are being asked about other new images"

Paths = Annotated[list[str], Query(max_length=MOST_IMAGES, description="Paths of images.")]
Numbers = Annotated[
    list[Annotated[int, Query(ge=0, le=2**53)]],
    Query(max_length=MOST_IMAGES, description="Numbers of images, in the order of the folder."),
]
MaxDistance = Annotated[float | None, Query(ge=0, description="Images farther are left out.")]
Duplicates = Annotated[bool, Query(description="Each image of a group of duplicates, not one.")]
Rocchio = Annotated[bool, Query(description="Near the mean of what is liked.")]

PICTURE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Content of an image file.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}

router = APIRouter(prefix="/jobs/{job_id}")


async def _read_picture(request: Request, site: SiteDep) -> AsyncIterator[bytes]:
    """Read the picture that is the body, and hold a place among those who ask meanwhile.

    Raises:
        UsageError: The body is empty.
        BusyError: As many as may ask at the same time do.
    """
    # Held before the body is read: so many pictures are in memory, and no more.
    with only_some(site.questions, ASKING):
        if not (content := await request.body()):
            raise UsageError("body: send the content of an image file.")
        yield content


PictureDep = Annotated[bytes, Depends(_read_picture)]


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


@router.post(
    "/search",
    response_model=list[NumberedMatch],
    openapi_extra=PICTURE,
)
def search_by_content(
    site: SiteDep,
    job: JobDep,
    content: PictureDep,
    count: Count = 20,
    max_distance: MaxDistance = None,
    duplicates: Duplicates = False,
) -> Response:
    """The images that are most like a new one, whose file is the body."""
    enforce(site.estimate_limit)
    catalogue = site.catalogue(job)
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


def _show(catalogue: Catalogue, matches: Sequence[Match]) -> Response:
    return Json(
        [
            NumberedMatch(catalogue.number(m.path), m.rank, m.path, m.label, m.distance)
            for m in matches
        ]
    )
