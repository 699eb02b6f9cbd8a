"""The rows of the store: labels and duplicates of an image, and the parts of a loaded batch."""

import struct
from dataclasses import dataclass

from shoal.shared.findings import FailureReason

# A label row, little-endian: label, distance, pc1, pc2, x, y.
LABEL_ROW = struct.Struct("<ifffff")
# An image's hashes, little-endian: digest of its file's content, perceptual hash.
HASH_ROW = struct.Struct("<2Q")
# An image of a group of duplicates, little-endian: group, number of its content; its batch and its
# place among the batch's loaded images; the same of the nearest image; and in one byte, their
# distance in bits, which is less than 2**TURN_SHIFT, and above it the number of the turn.
DUPLICATE_ROW = struct.Struct("<6IB")
TURN_SHIFT = 5


@dataclass(frozen=True)
class Shape:
    """The form of a batch's features: ``rows`` × ``columns`` of ``dtype``, row-major.

    ``widths`` are the columns of each extractor, side by side. ``statistics_bytes`` of statistics
    follow the rows. ``shown`` are the numbers of the rows that have a tile, if not those of
    ``sample_positions``.
    """

    rows: int
    columns: int
    dtype: str
    widths: tuple[int, ...] = ()
    statistics_bytes: int = 0
    shown: tuple[int, ...] | None = None

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.columns * int(self.dtype[2:])  # as "<f4"

    @property
    def statistics_range(self) -> tuple[int, int]:
        """Where the statistics stand after the rows: their start and length in bytes."""
        return self.rows * self.row_bytes, self.statistics_bytes


@dataclass(frozen=True)
class FailedImage:
    """An image of a batch that could not be used; ``position`` is its place in the batch."""

    position: int
    reason: FailureReason
    detail: str


@dataclass(frozen=True)
class Loaded:
    """A batch that was loaded: its raw rows, their shape and hashes, and its failures.

    ``thumbnails`` is a JPEG sheet of the images shown, in row order; empty where there is none.
    """

    shape: Shape
    features: memoryview
    hashes: bytes
    failures: list[FailedImage]
    thumbnails: bytes = b""
