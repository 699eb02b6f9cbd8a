"""What is checked before anything is done: places, links, room, permissions."""

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import xxhash

from shoal.producer.organizing.steps import Header, Mode, Step
from shoal.shared.errors import SourceError, UsageError
from shoal.shared.text import show_bytes

OTHER_MODE = "choose `mode='copy'`"
# Of what has no modes.
MOVING_DUPLICATES = "move_duplicates"


@dataclass
class Needs:
    """What the steps of a plan need.

    Attributes:
        plan: Digest of the steps.
        files: How many files there are.
        copied_bytes: Size of those that are still to be copied.
    """

    plan: str = ""
    files: int = 0
    copied_bytes: int = 0


def check_places(directory: Path, header: Header, folders: Sequence[str] = ()) -> None:
    """Check that files can get from the folder of the sources to ``directory``.

    Args:
        directory: Of the destinations.
        header: What is done.
        folders: Those whose images were asked for; the folder of the sources if there are none.

    Raises:
        UsageError: They cannot; the message says what to change.
    """
    source = Path(header.source)
    if not source.is_dir():
        raise SourceError(
            f"The folder {source} of job {header.job_id} is not on this machine: do this where it"
            " is, at the same path."
        )
    real, real_source = (Path(os.path.realpath(path)) for path in (directory, source))
    for folder in folders or [header.source]:
        if real.is_relative_to(os.path.realpath(folder)):
            raise UsageError(f"{directory} is inside {folder}: choose a directory outside of it.")
    if real_source.is_relative_to(real):
        raise UsageError(f"{source} is inside {directory}: choose another directory.")
    there = _find_existing(directory)
    if not there.is_dir():
        raise UsageError(f"{there} is no directory: choose another one.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{there} cannot be written to: choose another directory.")
    if header.mode is Mode.HARDLINK and there.stat().st_dev != source.stat().st_dev:
        raise UsageError(
            f"{directory} is on another file system than {source}, where a file can have no second"
            f" name: {OTHER_MODE}, or a directory on the same one."
        )


def check_links(probe: Path, mode: Mode) -> None:
    """Check that a file system has links, by making one of the name ``probe``.

    Raises:
        UsageError: It has none.
    """
    try:
        probe.unlink(missing_ok=True)
        if mode is Mode.SYMLINK:
            probe.symlink_to(probe.parent)
        elif mode is Mode.HARDLINK:
            probe.hardlink_to(next(probe.parent.iterdir()))
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"The file system of {probe.parent.parent} has no such links ({error.strerror}):"
            f" {OTHER_MODE}, or a directory elsewhere."
        ) from error


def measure_steps(directory: Path, header: Header, steps: Iterable[Step]) -> Needs:
    """Read a plan: how many files it has, and how much room they need.

    Raises:
        UsageError: There is not enough room, or files to be moved cannot be taken away.
    """
    needs, digest, folders = Needs(), xxhash.xxh3_128(), set[Path]()
    source, there = Path(header.source), _find_existing(directory)
    device = there.stat().st_dev
    for step in steps:
        needs.files += 1
        digest.update(os.fsencode(f"{step.source}\0{step.target}\0{step.digest}\n"))
        path = source / step.source
        if header.mode is Mode.MOVE and path.parent not in folders:
            folders.add(path.parent)
            _check_removable(path.parent, header)
        if header.mode in {Mode.COPY, Mode.MOVE} and not os.path.lexists(directory / step.target):
            with suppress(OSError):  # it is listed later
                found = path.stat()
                if header.mode is Mode.COPY or found.st_dev != device:
                    needs.copied_bytes += found.st_size
    needs.plan = digest.hexdigest()
    free = shutil.disk_usage(there).free
    if needs.copied_bytes > free:
        raise UsageError(
            f"The files need {show_bytes(needs.copied_bytes)}, and {there} has"
            f" {show_bytes(free)} left: make room, or choose a directory on another disk"
            f"{_or_links(header)}."
        )
    return needs


def _check_removable(folder: Path, header: Header) -> None:
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        other = "" if header.purpose == MOVING_DUPLICATES else ", or choose `mode='copy'`"
        raise UsageError(
            f"Nothing can be moved out of {folder}, which is read-only: allow yourself to write"
            f" to it{other}{_or_links(header)}."
        )


def _or_links(header: Header) -> str:
    return "" if header.purpose == MOVING_DUPLICATES else ", or `mode='symlink'`"


def _find_existing(path: Path) -> Path:
    """Find the innermost of a path and its parents that is there."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))
