"""Destinations that whoever runs a server allows: which they are, and what is in them."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from shoal.producer.organizing.aside import find_journal
from shoal.producer.organizing.journal import FILE_NAME, FOLDER_NAME, read_header
from shoal.producer.organizing.steps import Header
from shoal.shared.errors import UsageError

# Directories of a root that are looked at.
MOST_LOOKED_AT = 1000


def find_destination(directory: str, roots: Sequence[Path]) -> Path:
    """Return where a directory really is: below one of ``roots``, whatever links there are.

    Raises:
        UsageError: It is not below any of them.
    """
    if not directory.startswith("/") or "\0" in directory:
        raise UsageError(f"{directory!r} is no full path: begin it with /.")
    real = Path(os.path.realpath(directory))
    for root in roots:
        allowed = Path(os.path.realpath(root))
        if real != allowed and real.is_relative_to(allowed):
            return real
    raise UsageError(
        f"{directory} is not below {' or '.join(map(str, roots))}: choose a directory there."
    )


def find_header(directory: Path) -> Header | None:
    """Return what the journal of a directory is about; None if there is none that says so."""
    return read_header(find_journal(directory) / FILE_NAME)


def list_organized(roots: Sequence[Path], job_id: str) -> list[Path]:
    """List the directories in ``roots`` to which files of a job were brought."""
    places = (place for root in roots for place in islice(_list_folders(root), MOST_LOOKED_AT))
    headers = ((place, read_header(place / FOLDER_NAME / FILE_NAME)) for place in places)
    return [place for place, header in headers if header and header.job_id == job_id]


def _list_folders(root: Path) -> Iterator[Path]:
    try:
        with os.scandir(root) as entries:
            yield from (
                Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)
            )
    except OSError:  # it may come later
        return
