"""Where files may be brought from a page, and what was brought there."""

from dataclasses import dataclass
from pathlib import Path

from shoal.producer.job import Job
from shoal.producer.organizing import Action, Header, Run, find_header, list_organized
from shoal.producer.web.api.organizing import find_place
from shoal.producer.web.pages.commands import make_undo_command
from shoal.producer.web.site import Site
from shoal.shared.errors import UsageError


@dataclass
class Place:
    """A directory to which files of a job may be brought.

    Attributes:
        directory: As it was named.
        is_allowed: Whether the server may bring files there.
        error: Why not; empty if that is not the fault of the name.
        header: What the journal there is about, if files of the job are there: these can be taken
            back.
        run: The latest run there, if the server remembers one.
        undo: The command that takes them back.
    """

    directory: str
    is_allowed: bool = False
    error: str = ""
    header: Header | None = None
    run: Run | None = None
    undo: str = ""

    @property
    def has_files(self) -> bool:
        """Whether files of the job are there."""
        return self.header is not None


def look_at(site: Site, job: Job, directory: str) -> Place:
    """Look at a directory that a person has named."""
    place = Place(directory, undo=make_undo_command(directory))
    if not site.client.settings.organize_roots:
        return place
    try:
        real = find_place(site, directory)
    except UsageError as error:
        place.error = str(error)
        return place
    place.is_allowed = True
    run = site.runs.find(real)
    place.run = run if run and run.job_id == job.id else None
    header = find_header(real)
    place.header = header if header and header.job_id == job.id else None
    return place


def list_places(site: Site, job: Job, action: Action) -> list[str]:
    """List the directories to which files of a job were brought in this way."""
    is_move = action is Action.MOVE_DUPLICATES
    found = list_organized(site.client.settings.organize_roots, job.id)
    headers = ((place, find_header(place)) for place in found)
    return [str(p) for p, h in headers if h and (h.purpose == Action.MOVE_DUPLICATES) is is_move]


def suggest_place(site: Site, source: Path, ending: str) -> str:
    """Suggest a directory for the images of a folder: below what is allowed, or beside it."""
    roots = site.client.settings.organize_roots
    return str((roots[0] if roots else source.parent) / f"{source.name}{ending}")
