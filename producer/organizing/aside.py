"""A journal put aside while its directory is removed, so that an undo killed then can go on."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from xxhash import xxh3_64_hexdigest

from shoal.producer.organizing.journal import FILE_NAME, FOLDER_NAME, Journal
from shoal.producer.organizing.transfer import rename_new


def put_aside(journal: Journal, directory: Path, place: Path) -> bool:
    """Put the journal of a directory into ``place``, around all that is to be removed.

    Returns:
        Whether it is there now; some file systems cannot do this in one step.
    """
    aside = place / _name_aside(directory)
    with suppress(OSError):
        rename_new(journal.path.parent, aside)
        journal.path = aside / FILE_NAME
        return True
    return False


def find_journal(directory: Path) -> Path:
    """Find the folder of the journal of a directory: in it, or else where it was put aside."""
    usual = directory / FOLDER_NAME
    if os.path.lexists(usual / FILE_NAME):
        return usual
    return next(_find_aside(directory), usual)


def drop_aside(directory: Path) -> None:
    """Remove what an undo that was killed has left, since the directory is used again."""
    for aside in _find_aside(directory):
        (aside / FILE_NAME).unlink(missing_ok=True)
        with suppress(OSError):
            aside.rmdir()


def _find_aside(directory: Path) -> Iterator[Path]:
    """Find what was put aside by this user: anybody may write to some of the parents."""
    name = _name_aside(directory)
    for parent in directory.parents:
        with suppress(OSError):
            if (parent / name).lstat().st_uid == os.geteuid():
                yield parent / name


def _name_aside(directory: Path) -> str:
    return f"{FOLDER_NAME}-{xxh3_64_hexdigest(os.fsencode(directory))}"
