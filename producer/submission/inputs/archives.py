"""Archives that were given: tars and zips, in files and at URLs."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from shoal.producer.submission.archives import Archive
from shoal.producer.submission.inputs.found import Found
from shoal.producer.submission.located import Located
from shoal.shared.sources.members import archive_kind, is_other_archive
from shoal.shared.sources.paths import is_url

# Archives in a bucket that are listed at the same time: of each, some requests wait for each other,
# and its rows are in memory.
AT_ONCE = 8


def is_archive(given: str) -> bool:
    """Return whether what was given is an archive by its name, readable or not."""
    return bool(archive_kind(given) or is_other_archive(given)) and (
        is_url(given) or os.path.isfile(given)  # noqa: PTH113  any bytes
    )


def add_archive(given: str, found: Found) -> str:
    """Add the images in an archive.

    Raises:
        SourceError: It cannot be used.
    """
    place = given if is_url(given) else _resolve(given, found)
    archive = Archive(place, found.settings)
    _add(archive, archive.list(), found)
    return place


def add_archives(given: Iterable[str], found: Found) -> None:
    """Add the images in several archives, of a bucket in many at the same time.

    Raises:
        SourceError: One of them cannot be used.
    """
    left = iter(given)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while names := list(islice(left, AT_ONCE)):
            if not is_url(names[0]):
                for name in names:
                    add_archive(name, found)
                continue
            archives = [Archive(name, found.settings) for name in names]
            for archive, rows in zip(archives, pool.map(_list_all, archives), strict=True):
                _add(archive, rows, found)


def _list_all(archive: Archive) -> list[Located]:
    return list(archive.list())


def _add(archive: Archive, rows: Iterable[Located] | Iterator[Located], found: Found) -> None:
    for path, location in rows:
        found.add_located(archive.place, path, location)
    found.note_omitted(archive.place, archive.omitted)


def _resolve(given: str, found: Found) -> str:
    """Return the absolute path of an archive; a link to it keeps its name."""
    folder, _, name = os.path.abspath(given).rpartition("/")  # noqa: PTH100
    return os.path.join(found.resolve_folder(folder or "/"), name)  # noqa: PTH118
