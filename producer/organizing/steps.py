"""Steps: which file goes where and how, and why one was left out."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from shoal.shared.errors import ShoalError

# Called with the number of steps that are done, and of all.
Progress = Callable[[int, int], None]


class Mode(StrEnum):
    """How a file gets to its destination; only ``MOVE`` takes it away from its source."""

    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    COPY = "copy"
    MOVE = "move"


class SkipReason(StrEnum):
    """The kind of cause for which a file was left as it is."""

    MISSING = "missing"
    CHANGED = "changed"
    EXISTS = "exists"
    LINK = "link"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Step:
    """One file and its destination.

    Attributes:
        source: Path of the file, relative to the folder of the sources.
        target: Path of its destination, relative to the directory of the destinations.
        digest: Of its content, as ``digest_content`` of ``shared/images`` makes it.
    """

    source: str
    target: str
    digest: int


@dataclass(frozen=True)
class Skipped:
    """A file that was left as it is, and why.

    Attributes:
        path: Relative to the folder of the sources.
        reason: The kind of cause.
        detail: The cause in words.
    """

    path: str
    reason: SkipReason
    detail: str


@dataclass(frozen=True)
class Header:
    """What a journal is about.

    Attributes:
        purpose: The method that wrote it, such as ``organize``.
        job_id: Id of the job.
        source: The folder of the sources.
        mode: How files get to their destinations.
        plan: Digest of all steps, so that another plan is not taken for this one; ``run_steps``
            fills it in.
        made: The directories that were created for the destinations, outermost first; likewise.
    """

    purpose: str
    job_id: str
    source: str
    mode: Mode
    plan: str = ""
    made: tuple[str, ...] = ()


class StepError(ShoalError):
    """One step cannot be done; it is listed, and the others go on.

    Attributes:
        reason: The kind of cause.
        detail: The cause in words.
    """

    def __init__(self, reason: SkipReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def find_place(directory: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a directory that a user has named, with links as they are."""
    return Path(os.path.abspath(os.path.expanduser(directory)))  # noqa: PTH100, PTH111  as is


def partial_path(target: Path, number: int, tag: str = "") -> Path:
    """Return the name under which the copy of step ``number`` is written beside its target.

    ``tag`` tells apart copies from several directories.
    """
    return target.with_name(f".shoal-{number}{tag}.partial")
