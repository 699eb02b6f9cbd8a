"""The map of a job on a page of its own, and what the browser asks for while it is looked at."""

import json
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from shoal.producer.job import Job
from shoal.producer.report.map import Map, make_map
from shoal.producer.report.points import pack_names, read_copies, read_points
from shoal.producer.web.pages.layout import shared_values
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import JobDep, SiteDep, StatusDep
from shoal.shared.findings import Summary

# Paths of 50,000 images take 2 MB in most folders; beyond this, they are cut.
NAMES_BYTES = 10_000_000

router = APIRouter(include_in_schema=False)

Batch = Annotated[int, Path(ge=0, le=2**31)]


@router.get("/jobs/{job_id}/map")
def show_map(site: SiteDep, job: JobDep, status: StatusDep) -> Response:
    """Only the map; the job's page shows it too."""
    summary = job.summary()
    # Names are given while the points stay.
    names = tuple(cluster.name for cluster in summary.clusters)
    made = site.maps.find((job.id, status.finished_at, names), partial(_make_map, job, summary))
    return Page("map_page.html", status=status, map=made, **shared_values(site))


@router.get("/jobs/{job_id}/map/names")
def list_names(site: SiteDep, job: JobDep, status: StatusDep) -> Response:
    """The paths of the map's points, each with what it shares with the one before."""
    names = site.map_names.find((job.id, status.finished_at), partial(_pack_names, job))
    return Response(names, media_type="application/json")


@router.get("/jobs/{job_id}/map/sheets/{batch}")
def load_sheet(job: JobDep, batch: Batch) -> Response:
    """The thumbnails of a batch's images on the map, as one JPEG; empty if there are none."""
    return Response(job.results.thumbnails_of(batch), media_type="image/jpeg")


def _make_map(job: Job, summary: Summary) -> Map:
    points = read_points(job.results, job.status().images.total, read_copies(job.results))
    return make_map(points, summary, paths_bytes=0)


def _pack_names(job: Job) -> bytes:
    points = read_points(job.results, job.status().images.total)
    packed, _ = pack_names(points.paths, NAMES_BYTES)
    return json.dumps(packed, separators=(",", ":")).encode()
