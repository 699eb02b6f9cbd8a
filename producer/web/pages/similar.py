"""The page of similar images: like a few of the job or a new picture, and unlike others."""

from http import HTTPStatus
from io import BytesIO
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.export.tables import write_rows
from shoal.producer.job import Job
from shoal.producer.results.catalogue import Catalogue
from shoal.producer.web.api.search import ASKING, SEARCHING
from shoal.producer.web.pages.feedback import Feedback, FeedbackDep
from shoal.producer.web.pages.gallery import IMAGES_PER_PAGE, Number, Picture, Slice
from shoal.producer.web.pages.layout import shared_values
from shoal.producer.web.pages.matches import measure_scale, show_match
from shoal.producer.web.pages.uploads import Uploads, UploadsDep, kind_of_picture
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import JobDep, Site, SiteDep, StatusDep, only_some
from shoal.shared.errors import NotFinishedError, ShardLostError, UsageError
from shoal.shared.findings import Match

MOST_FOUND = 300

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/similar")
def show_similar(
    site: SiteDep,
    uploads: UploadsDep,
    job: JobDep,
    status: StatusDep,
    wanted: FeedbackDep,
    number: Number = 1,
) -> Response:
    """The images of a job that are like some, and unlike others."""
    summary, catalogue, matches = job.summary(), site.catalogue(job), list[Match]()
    code, problem = HTTPStatus.OK, ""
    try:
        matches = find_matches(site, job, wanted, uploads)
    except (NotFinishedError, ShardLostError) as error:
        code, problem = HTTPStatus.CONFLICT, str(error)
    except UsageError as error:
        code, problem = HTTPStatus.UNPROCESSABLE_ENTITY, str(error)
    part = Slice(number, IMAGES_PER_PAGE, len(matches))
    scale = measure_scale(summary)
    return Page(
        "similar.html",
        code,
        status=status,
        wanted=wanted,
        problem=problem,
        given=_show_given(catalogue, wanted),
        has_picture=kind_of_picture(uploads.find(wanted.picture) or b"") is not None,
        found=[show_match(catalogue, match, scale) for match in matches[part.start : part.end]],
        paths=[match.path for match in matches],
        names={cluster.label: cluster.name for cluster in summary.clusters},
        is_most=len(matches) == MOST_FOUND,
        part=part,
        **shared_values(site),
    )


@router.get("/jobs/{job_id}/similar.csv")
def download_similar(
    site: SiteDep, uploads: UploadsDep, job: JobDep, wanted: FeedbackDep
) -> Response:
    """The same images as CSV: rank, path, label and distance."""
    file = BytesIO()
    write_rows(find_matches(site, job, wanted, uploads), Match, file)
    name = f'attachment; filename="shoal-{job.id}-similar.csv"'
    return Response(file.getvalue(), 200, {"Content-Disposition": name}, "text/csv; charset=utf-8")


def find_matches(site: Site, job: Job, wanted: Feedback, uploads: Uploads) -> list[Match]:
    """Find the images that are wanted, the best first, as many as there are pages for.

    Raises:
        UsageError: Nothing is liked, or an image is not one of the job or cannot be used.
        NotFinishedError: The job has no coordinates, yet or any more.
        BusyError: Too many others search.
    """
    likes: list[int | bytes] = [*wanted.images, *wanted.likes]
    if wanted.picture:
        likes.insert(0, _find_upload(uploads, wanted.picture))
    if not likes:
        like_first = "Like at least one image: without one, there is nothing to look for."
        raise UsageError(like_first if wanted.dislikes else "Choose an image to look for.")
    options: dict[str, Any] = {"count": MOST_FOUND, "duplicates": wanted.duplicates}
    room = (site.questions, ASKING) if wanted.picture else (site.searches, SEARCHING)
    with only_some(*room):
        if wanted.is_rated:
            return job.recommend(likes, list(wanted.dislikes), **options)
        return job.search(*likes, **options)


def _find_upload(uploads: Uploads, name: str) -> bytes:
    if content := uploads.find(name):
        return content
    raise UsageError("Your picture is not kept any more: choose it again.")


def _show_given(catalogue: Catalogue, wanted: Feedback) -> dict[str, list[Picture]]:
    """Show what was given, also what the job does not have."""
    given = {"like": (*wanted.images, *wanted.likes), "dislike": wanted.dislikes}
    return {
        kind: [_show_number(catalogue, number) for number in numbers]
        for kind, numbers in given.items()
    }


def _show_number(catalogue: Catalogue, number: int) -> Picture:
    try:
        return Picture(number, catalogue.path(number))
    except UsageError:
        return Picture(number, "", f"image {number}, which this job has not loaded")
