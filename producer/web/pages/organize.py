"""The page that shows what organizing a job would do and, where that is allowed, does it."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shoal.producer.job import Job
from shoal.producer.organizing import Action, Mode, Organization, RunState, preview_folders
from shoal.producer.web.pages.commands import make_organize_command
from shoal.producer.web.pages.destinations import Place, list_places, look_at, suggest_place
from shoal.producer.web.pages.layout import shared_values
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import JobDep, SiteDep, StatusDep, only_some
from shoal.shared.errors import ShoalError, StoreUnavailableError

MODES = {
    Mode.SYMLINK: "Links to the images: no room, nothing is touched",
    Mode.HARDLINK: "Second names of the same files: no room, on one file system",
    Mode.COPY: "Copies, each compared",
    Mode.MOVE: "Move the images themselves",
}
SHOWN_LEFT_OUT = 20
READING = "Other folders are being looked at"

Directory = Annotated[str, Query(max_length=4096)]

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/organize")
def show_organizing(
    site: SiteDep,
    job: JobDep,
    status: StatusDep,
    directory: Directory = "",
    mode: Mode | None = None,
    flat: bool = False,
) -> Response:
    """What organizing would do: folders, with some images of each, and what would be left out."""
    source = Path(status.request.source)
    place = look_at(site, job, directory.strip() or suggest_place(site, source, "-sorted"))
    if mode is None:  # as it was done there, if it was
        mode = place.header.mode if place.header else Mode.SYMLINK
        flat = flat or (place.header is not None and place.header.purpose.endswith("flat"))
    with only_some(site.readings, READING):
        preview = preview_folders(job, flat=flat, most_missing=SHOWN_LEFT_OUT)
        foreseen = _foresee(job, place, mode, flat=flat) if preview.is_here else None
    others = list_places(site, job, Action.ORGANIZE)
    return Page(
        "organize.html",
        status=status,
        place=place,
        mode=mode,
        modes=MODES,
        flat=flat,
        preview=preview,
        foreseen=foreseen,
        listed=SHOWN_LEFT_OUT,
        command=make_organize_command(job.id, place.directory, mode, flat=flat),
        roots=site.client.settings.organize_roots,
        others=[other for other in others if other != place.directory],
        **shared_values(site),
    )


def _foresee(job: Job, place: Place, mode: Mode, *, flat: bool) -> Organization | None:
    """Return what would be done there; None if the server may not look there, or it cannot be."""
    is_at_work = place.run is not None and place.run.state is RunState.RUNNING
    if not place.is_allowed or is_at_work:
        return None
    try:
        return job.organize(place.directory, mode, flat=flat, dry_run=True)
    except StoreUnavailableError:
        raise
    except ShoalError as error:  # such as a damaged journal
        place.error = str(error)
    return None
