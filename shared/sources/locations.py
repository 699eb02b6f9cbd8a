"""Locations: where the bytes of images are, packed by batch like their paths."""

import os
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

# Stands for a size that nobody said.
UNKNOWN = -1
HEADER = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Location:
    """Where the bytes of an image are, and what was known of them when they were listed.

    Attributes:
        size: Bytes stored there; None if nobody said.
        version: What changes with the content: 8 bytes, of ETag (or last-modified) and size; b"" if
            unknown. Of an image in an archive: that of the archive.
        archive: Path of the archive that it is in, relative to the source ("." if the source itself
            is the archive); "" if it is in none.
        offset: Of its first byte in the archive: of a tar member's content, of a zip member's local
            header.
        method: How a zip packed it: 0 stored, 8 deflate.
        length: Bytes once unpacked.
        checksum: CRC-32 of a zip member.
    """

    size: int | None = None
    version: bytes = b""
    archive: str = ""
    offset: int = 0
    method: int = 0
    length: int = 0
    checksum: int = 0


def pack_locations(locations: Sequence[Location]) -> bytes:
    """Pack locations into bytes: 10 to 14 an image in a bucket, of which 8 are its version."""
    archives = list(dict.fromkeys(each.archive for each in locations))
    places = {archive: place for place, archive in enumerate(archives)}
    names = os.fsencode("\0".join(archives))
    offsets = [each.offset for each in locations]
    columns = [
        [UNKNOWN if each.size is None else each.size for each in locations],
        [places[each.archive] for each in locations],
        # Members of an archive follow each other, so that steps are small numbers.
        [after - before for before, after in pairwise([0, *offsets])],
        [each.method for each in locations],
        [each.length for each in locations],
        [each.checksum for each in locations],
        [len(each.version) for each in locations],
    ]
    versions = b"".join(each.version for each in locations)
    header = HEADER.pack(len(locations), len(names))
    return zlib.compress(b"".join([header, names, *map(_split_bytes, columns), versions]), level=1)


def unpack_locations(packed: bytes) -> list[Location]:
    """Unpack what ``pack_locations`` returned.

    Raises:
        zlib.error: The bytes are not those of packed locations.
    """
    raw = zlib.decompress(packed)
    n_rows, names_bytes = HEADER.unpack_from(raw)
    start = HEADER.size + names_bytes
    archives = os.fsdecode(raw[HEADER.size : start]).split("\0")
    ends = range(start, start + 8 * 8 * n_rows, 8 * n_rows) if n_rows else [start] * 8
    sizes, places, steps, methods, lengths, checksums, widths = (
        _join_bytes(raw[first:last], n_rows) for first, last in pairwise(ends)
    )
    return [
        Location(
            size=None if size == UNKNOWN else size,
            version=version,
            archive=archives[place],
            offset=offset,
            method=method,
            length=length,
            checksum=checksum,
        )
        for size, version, place, offset, method, length, checksum in zip(
            *(sizes, _cut(raw[ends[-1] :], widths), places, accumulate(steps)),
            *(methods, lengths, checksums),
            strict=True,
        )
    ]


def _split_bytes(numbers: Iterable[int]) -> bytes:
    """Return the first bytes of all numbers, then the second, …: zlib packs the zeros together."""
    raw = _little_endian(array("q", numbers)).tobytes()
    return b"".join(raw[place::8] for place in range(8))


def _join_bytes(split: bytes, n_numbers: int) -> Sequence[int]:
    """Return the numbers of which ``_split_bytes`` returned the bytes."""
    raw = bytearray(8 * n_numbers)
    for place in range(8):
        raw[place::8] = split[place * n_numbers : (place + 1) * n_numbers]
    return _little_endian(array("q", bytes(raw)))


def _little_endian(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _cut(versions: bytes, widths: Iterable[int]) -> list[bytes]:
    ends = list(accumulate(widths, initial=0))
    return [versions[start:end] for start, end in pairwise(ends)]
