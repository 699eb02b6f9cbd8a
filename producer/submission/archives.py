"""Listing the images of an archive, in a file or at a URL."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shoal.producer.submission.located import Located
from shoal.producer.submission.walk import is_path_passed_over
from shoal.shared.errors import SourceError, UnreadableImageError
from shoal.shared.settings import Settings
from shoal.shared.sources.locations import Location
from shoal.shared.sources.members import ZIP, Omitted, archive_kind, refuse_other_archives
from shoal.shared.sources.open import open_store
from shoal.shared.sources.paths import is_url, split
from shoal.shared.sources.policy import UrlPolicy
from shoal.shared.sources.tar import list_tar
from shoal.shared.sources.view import LOCAL_BYTES, REMOTE_BYTES, View
from shoal.shared.sources.zip import list_zip


@dataclass(frozen=True)
class Archive:
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
