"""Archives that were given: tars and zips, in files and at URLs."""

import math
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from shoal.producer.submission.inputs.found import Found
from shoal.producer.submission.located import Located
from shoal.producer.submission.walk import is_path_passed_over
from shoal.shared.errors import SourceError, UnreadableImageError
from shoal.shared.settings import Settings
from shoal.shared.sources.locations import Location
from shoal.shared.sources.members import (
    ZIP,
    Omitted,
    archive_kind,
    is_other_archive,
    refuse_other_archives,
)
from shoal.shared.sources.open import open_store
from shoal.shared.sources.paths import is_url, split
from shoal.shared.sources.policy import UrlPolicy
from shoal.shared.sources.tar import list_tar
from shoal.shared.sources.view import LOCAL_BYTES, REMOTE_BYTES, View
from shoal.shared.sources.zip import list_zip

# Archives in a bucket that are listed at the same time: of each, some requests wait for each other,
# and its rows are in memory.
AT_ONCE = 8


@dataclass(frozen=True)
class _Archive:
    """An archive whose files are listed.

    Attributes:
        place: Its absolute path, or its URL.
        settings: What may be read.
        omitted: What it has beside regular files; known once these are listed.
    """

    place: str
    settings: Settings
    omitted: Omitted = field(default_factory=Omitted)

    def list(self) -> Iterator[Located]:
        """Yield path and location of each file that is not hidden, in the order of the archive.

        The paths are relative to the archive, and the locations name it in full.

        Raises:
            SourceError: It is missing, may not be read, is of another kind, or cannot be used.
        """
        refuse_other_archives(self.place)
        view, version = self._open_view()
        list_members = list_zip if archive_kind(self.place) == ZIP else list_tar
        for path, offset, size, length, method, checksum in list_members(view, self.omitted):
            if not is_path_passed_over(path):
                packed = (offset, method, length, checksum)
                yield path, Location(size, version, self.place, *packed)

    def _open_view(self) -> tuple[View, bytes]:
        """Open the archive; return a view of it, and its version."""
        place = self.place
        if is_url(place):
            UrlPolicy.of(self.settings).check([place])
        parent, name = split(place)
        store = open_store(parent or "/", self.settings)

        def read_range(offset: int, length: int) -> bytes:
            with _explained(place):
                content, now = store.get_range(name, offset, length)
            if now.version != listed.version:
                raise SourceError(f"{place} changes while it is read: wait until it is written.")
            return content

        with _explained(place):
            listed = store.stat(name)
        if not is_url(place):
            _outlast_second(place)
        if listed.size is None:
            raise SourceError(f"{place} cannot be read: its server does not say its size.")
        ahead = REMOTE_BYTES if is_url(place) else LOCAL_BYTES
        return View(place, read_range, listed.size, ahead), listed.version


def _outlast_second(archive: str) -> None:
    """Wait until a later change of a file just written gives it another time, in whole seconds."""
    left = math.floor(os.stat(archive).st_mtime) + 1 - time.time()  # noqa: PTH116  any bytes
    if 0 < left <= 1:
        time.sleep(left)


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Raise SourceError where an archive cannot be read."""
    try:
        yield
    except UnreadableImageError as error:
        raise SourceError(f"{place} cannot be read: {error.detail}.") from error


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
    archive = _Archive(place, found.settings)
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
            archives = [_Archive(name, found.settings) for name in names]
            for archive, rows in zip(archives, pool.map(_list_all, archives), strict=True):
                _add(archive, rows, found)


def _list_all(archive: _Archive) -> list[Located]:
    return list(archive.list())


def _add(archive: _Archive, rows: Iterable[Located], found: Found) -> None:
    for path, location in rows:
        found.add_located(archive.place, path, location)
    found.note_omitted(archive.place, archive.omitted)


def _resolve(given: str, found: Found) -> str:
    """Return the absolute path of an archive; a link to it keeps its name."""
    folder, _, name = os.path.abspath(given).rpartition("/")  # noqa: PTH100
    return os.path.join(found.resolve_folder(folder or "/"), name)  # noqa: PTH118
