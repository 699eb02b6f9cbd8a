"""Folders, single files and patterns such as ``photos/*.jpg``."""

import glob
import os
from pathlib import Path

from shoal.producer.submission.folder import check_is_folder
from shoal.producer.submission.inputs.archives import add_archive
from shoal.producer.submission.inputs.found import Found
from shoal.shared.errors import SourceError
from shoal.shared.sources.given import fixed_part
from shoal.shared.sources.members import archive_kind


def add_folder(given: str, found: Found) -> str:
    """Add the images in a folder."""
    folder = found.resolve_folder(given)
    check_is_folder(Path(folder))
    found.add_folder(folder)
    return folder


def add_file(given: str, found: Found) -> str:
    """Add a file: an image, or one that is left out."""
    path = os.path.abspath(given)  # noqa: PTH100  a link keeps its name
    found.add_file(path)
    return path


def is_pattern(given: str) -> bool:
    """Return whether a name that does not exist is a pattern."""
    return glob.has_magic(given)


def add_pattern(given: str, found: Found) -> str:
    """Add what a pattern matches: files, and folders with all that is in them.

    Raises:
        SourceError: It matches nothing.
    """
    pattern = os.path.abspath(given)  # noqa: PTH100  as above
    base, matched = fixed_part(pattern), False
    found.reach(found.resolve_folder(base))
    for match in glob.iglob(pattern, recursive=True):  # noqa: PTH207  follows no hidden ones
        matched = True
        # Those that "photos/*" matches are as those in a folder.
        if archive_kind(pattern) and os.path.isfile(match):  # noqa: PTH113
            add_archive(match, found)
        elif os.path.isdir(match):  # noqa: PTH112  of a million matches
            found.add_folder(found.resolve_folder(match))
        else:
            found.add_file(match, base)
    if not matched:
        raise SourceError(f"{given} matches no file; ** in it stands for folders of any depth.")
    return pattern
