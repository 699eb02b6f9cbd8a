"""The API's results: labels, failures, members of clusters, plots, pictures of images."""

from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Body, Header, Path, Query
from pydantic import Field
from starlette.responses import Response

from shoal.producer.organizing import Placement, list_placements
from shoal.producer.results.catalogue import Member
from shoal.producer.web.api.jobs import Count, Start
from shoal.producer.web.rendering import Json, OpenApiResponses
from shoal.producer.web.site import ImageDep, JobDep, SiteDep
from shoal.shared.findings import NOISE, Failure, PlotName, Summary

Label = Annotated[int, Path(ge=NOISE, le=2**31 - 1, description="-1 is noise.")]
FindPicture: TypeAlias = Callable[[ImageDep], Awaitable[bytes]]
Known = Annotated[str, Header(description="The ETags of what the browser has.")]
Flat = Annotated[bool, Query(description="Whether to leave out the folders that images are in.")]
Names = Annotated[
    dict[Annotated[int, Field(ge=0, le=2**31 - 1)], Annotated[str, Field(max_length=200)]],
    Body(max_length=10_000, description="Names of clusters, by their numbers."),
]
PNG: OpenApiResponses = {200: {"content": {"image/png": {}}}}
JPEG: OpenApiResponses = {
    200: {"content": {"image/jpeg": {}}},
    304: {"description": "Not changed."},
}

router = APIRouter(prefix="/jobs/{job_id}")


@router.get("/summary", response_model=Summary)
def show_summary(job: JobDep) -> Response:
    """An overview of a finished job's results: clusters, representatives, outliers."""
    return Json(job.summary())


@router.get("/labels", response_model=list[Member])
def list_labels(site: SiteDep, job: JobDep, start: Start = 0, count: Count = 100) -> Response:
    """Images and their clusters, sorted by path."""
    return Json(site.catalogue(job).rows(start, count))


@router.get("/clusters/{label}/members", response_model=list[Member])
def list_members(
    site: SiteDep, job: JobDep, label: Label, start: Start = 0, count: Count = 100
) -> Response:
    """Images of a cluster, nearest to its centroid first."""
    return Json(site.catalogue(job).members(label, start, count))


@router.get("/names", response_model=dict[int, str])
def list_names(job: JobDep) -> Response:
    """The names of clusters, by their numbers; those that have none are missing."""
    return Json(job.names())


@router.post("/names", response_model=dict[int, str])
def name_clusters(job: JobDep, names: Names) -> Response:
    """Name clusters, all or none of those given; an empty name is taken away. Returns all."""
    return Json(job.name_clusters(names))


@router.get("/organize", response_model=list[Placement])
def plan_folders(job: JobDep, flat: Flat = False, start: Start = 0, count: Count = 100) -> Response:
    """Where `shoal organize` would put each image, sorted by path. Nothing is done over HTTP."""
    return Json(list(islice(list_placements(job, flat=flat), start, start + count)))


@router.get("/failures", response_model=list[Failure])
def list_failures(job: JobDep, start: Start = 0, count: Count = 100) -> Response:
    """Images that could not be used, with the reasons, sorted by path."""
    return Json(list(islice(job.failures(), start, start + count)))


@router.get("/plots/{name}", response_class=Response, responses=PNG)
def show_plot(job: JobDep, name: PlotName) -> Response:
    """A plot as PNG."""
    return Response(job.plot(name), media_type="image/png")


@router.get("/images/{number}/thumbnail", response_class=Response, responses=JPEG)
async def show_thumbnail(site: SiteDep, image: ImageDep, if_none_match: Known = "") -> Response:
    """A small JPEG of an image; its number is its place in the job's manifest, from 0."""
    return await _show_picture(site.thumbnails.find, image, if_none_match)


@router.get("/images/{number}/preview", response_class=Response, responses=JPEG)
async def show_preview(site: SiteDep, image: ImageDep, if_none_match: Known = "") -> Response:
    """A JPEG of an image whose longer side has at most 1,024 pixels."""
    return await _show_picture(site.previews.find, image, if_none_match)


async def _show_picture(find: FindPicture, image: ImageDep, known: str) -> Response:
    headers = {"ETag": f'"{image.name}"', "Cache-Control": "private, max-age=600"}
    if headers["ETag"] in known:
        return Response(None, 304, headers)
    return Response(await find(image), 200, headers, "image/jpeg")
