"""The API's runs that bring files to other places, where the server's owner allows it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shoal.producer.duplicates.decisions import KeepRule
from shoal.producer.job import Job
from shoal.producer.organizing import (
    Action,
    Ending,
    Mode,
    Organization,
    Outcome,
    Run,
    find_destination,
    find_header,
    undo_known,
)
from shoal.producer.organizing.steps import Progress
from shoal.producer.web.rendering import Json
from shoal.producer.web.site import JobDep, Site, SiteDep, StatusDep, enforce
from shoal.shared.errors import UsageError

Directory = Annotated[
    str, Field(max_length=4096, description="Full path, below `SHOAL_ORGANIZE_ROOTS`.")
]

router = APIRouter(prefix="/jobs/{job_id}")


@dataclass
class Destination:
    """Where files are to be taken back from."""

    directory: Directory


@dataclass
class Arrangement(Destination):
    """How the images of a job are to be organized."""

    mode: Mode = Mode.SYMLINK
    flat: bool = False


@dataclass
class Removal(Destination):
    """Which duplicates are to be moved away."""

    keep: KeepRule = KeepRule.LARGEST
    exact: bool = False


@router.post("/organize", response_model=Run, status_code=202)
def organize_images(site: SiteDep, job: JobDep, wanted: Arrangement) -> Response:
    """Begin to put each image into the folder of its cluster; 202 returns at once."""
    job.summary()

    def work(place: Path, progress: Progress) -> Ending:
        return _end(job.organize(place, wanted.mode, flat=wanted.flat, on_progress=progress))

    return _start(site, job, wanted, Action.ORGANIZE, work)


@router.post("/duplicates/move", response_model=Run, status_code=202)
def move_duplicates(site: SiteDep, job: JobDep, wanted: Removal) -> Response:
    """Begin to move all duplicates but one of each group; 202 returns at once."""
    job.summary()

    def work(place: Path, progress: Progress) -> Ending:
        return _end(
            job.move_duplicates(place, wanted.keep, exact=wanted.exact, on_progress=progress)
        )

    return _start(site, job, wanted, Action.MOVE_DUPLICATES, work)


@router.post("/undo", response_model=Run, status_code=202)
def take_back(site: SiteDep, job: JobDep, status: StatusDep, wanted: Destination) -> Response:
    """Begin to take back what a run of this job did in a directory; 202 returns at once."""
    place = find_place(site, wanted.directory)
    header = find_header(place)
    # Another journal may say that files came from anywhere.
    if header is None or (header.job_id, header.source) != (job.id, status.request.source):
        raise UsageError(f"Nothing of job {job.id} can be taken back from {place}.")

    def work(place: Path, progress: Progress) -> Ending:
        # Not one that somebody has put there since.
        undone = undo_known(place, header, progress)
        return Ending(undone.undone, undone.kept, undone.is_complete)

    return _start(site, job, wanted, Action.UNDO, work)


@router.get("/runs", response_model=Run)
def show_run(
    site: SiteDep,
    job: JobDep,
    directory: Annotated[str, Query(max_length=4096, description="Where it works.")],
) -> Response:
    """How far the latest run of the job in a directory is, or what has become of it."""
    run = site.runs.find(find_place(site, directory))
    if run is None or run.job_id != job.id:
        raise HTTPException(404, f"No run of job {job.id} is known in {directory}")
    return Json(run)


def find_place(site: Site, directory: str) -> Path:
    """Return where a directory really is that somebody names over HTTP.

    Raises:
        UsageError: Nothing may be brought there.
    """
    if not (roots := site.client.settings.organize_roots):
        raise UsageError(
            "This server brings no files to other places: use the command, or let its owner set"
            " SHOAL_ORGANIZE_ROOTS."
        )
    return find_destination(directory, roots)


def _start(
    site: Site,
    job: Job,
    wanted: Destination,
    action: Action,
    work: Callable[[Path, Progress], Ending],
) -> Response:
    place = find_place(site, wanted.directory)
    enforce(site.submit_limit)

    def work_there(progress: Progress) -> Ending:
        # Once more: in between, links may have come.
        return work(find_place(site, str(place)), progress)

    return Json(site.runs.start(place, job.id, action, work_there), 202)


def _end(outcome: Organization | Outcome) -> Ending:
    return Ending(outcome.done + outcome.present, outcome.skipped)
