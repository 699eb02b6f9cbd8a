"""Images with their locations, sorted and packed like paths alone."""

import os
from collections.abc import Iterable

from shoal.producer.submission.paths import Packed, PackedPaths, Sorter, split_chunks
from shoal.shared.encoding import pack_paths, unpack_paths
from shoal.shared.sources.locations import Location, pack_locations, unpack_locations

Located = tuple[str, Location]


class LocatedSorter(Sorter[Located]):
    """Sorts images by the bytes of their paths; each keeps its location."""

    def __init__(self) -> None:
        super().__init__(lambda row: os.fsencode(row[0]), _pack, _unpack)


def pack_located(rows: Iterable[Located]) -> tuple[PackedPaths, Packed[Location]]:
    """Pack images that are in their order already: their paths, and as many locations."""
    paths, locations, length = list[bytes](), list[bytes](), 0
    for chunk in split_chunks(rows):
        for packed, kept in zip(_pack(chunk), (paths, locations), strict=True):
            kept.append(packed)
        length += len(chunk)
    return PackedPaths(paths, length), Packed(locations, length, unpack_locations)


def _pack(chunk: list[Located]) -> tuple[bytes, bytes]:
    paths, locations = zip(*chunk, strict=True)
    return pack_paths(paths), pack_locations(locations)


def _unpack(packed: tuple[bytes, bytes]) -> list[Located]:
    return list(zip(unpack_paths(packed[0]), unpack_locations(packed[1]), strict=True))
