"""Candidates: the images of a group of duplicates, with what their files are now."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shoal.producer.duplicates.decisions import Decision, Kind
from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import Duplicate, FailureReason
from shoal.shared.images.files import ImageLimits, digest_content, read_file
from shoal.shared.images.isolation import IsolatedDecoder, make_order
from shoal.shared.settings import Settings

MEASURE = "shoal.worker.images.extent:measure_extent"


@dataclass
class Candidate:
    """An image of a group, with what its file is now.

    Attributes:
        image: The image.
        digest: Of the content that the job has seen.
        kind: How the image duplicates the others.
        decision: What becomes of it; None until it is decided.
        place: Where the file is.
        size_bytes: Of the file.
        mtime_ns: Time of its last change.
        extent: Width and height in pixels, upright; zeros if they are not known.
    """

    image: Duplicate
    digest: int
    kind: Kind = Kind.NEAR
    decision: Decision | None = None
    place: str = ""
    size_bytes: int = 0
    mtime_ns: int = 0
    extent: tuple[int, int] = (0, 0)


class FileReader:
    """Reads what files are now; a context manager, as it may start a decoder."""

    def __init__(self, folders: Sequence[Path], settings: Settings) -> None:
        """Prepare without reading a file.

        Args:
            folders: Where a path is looked for, in this order.
            settings: The limits within which files are read.
        """
        self._folders = folders
        self._limits = ImageLimits(
            settings.max_image_bytes, settings.max_image_pixels, settings.image_roots
        )
        self._decoder = IsolatedDecoder(make_order(settings, MEASURE))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._decoder.stop()

    def read(self, one: Candidate) -> None:
        """Read what a file is, and decide about one that is not as the job has seen it."""
        places = [folder / one.image.path for folder in self._folders]
        place = next(filter(os.path.lexists, places), places[0])
        one.place = str(place)
        try:
            content, found = read_file(place, self._limits), place.stat()
        except UnreadableImageError as error:
            is_missing = error.reason is FailureReason.MISSING
            one.decision = Decision.MISSING if is_missing else Decision.UNREADABLE
        except OSError:
            one.decision = Decision.MISSING  # it went away in between
        else:
            one.size_bytes, one.mtime_ns = found.st_size, found.st_mtime_ns
            if digest_content(content) != one.digest:
                one.decision = Decision.CHANGED

    def measure(self, group: Sequence[Candidate]) -> None:
        """Measure the pixels of images, of each content once."""
        known: dict[int, tuple[int, int]] = {}
        for one in group:
            if one.decision is None:
                if one.digest not in known:
                    known[one.digest] = self._read_extent(one.place)
                one.extent = known[one.digest]

    def _read_extent(self, place: str) -> tuple[int, int]:
        try:
            width, height = self._decoder.decode(place).split()
        except UnreadableImageError:
            return 0, 0
        return int(width), int(height)
