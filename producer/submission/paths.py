"""Paths by the million: sorted and packed, so that a folder of any size fits into little memory."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from heapq import merge
from itertools import accumulate, chain, islice
from typing import overload

from shoal.shared.encoding import pack_paths, unpack_paths

# Paths packed together. Sorted ones take 3 to 6 bytes each then, as text in Python some 80.
CHUNK = 1024
# Chunks kept unpacked, for those who read a few paths at a time.
CHUNKS_KEPT = 4
# Paths that are sorted at once.
RUN = 64 * CHUNK


class PackedPaths(Sequence[str]):
    """Paths that never change, in packed chunks of 1,024; the last chunk may have fewer."""

    def __init__(self, chunks: Sequence[bytes], length: int) -> None:
        """Take chunks of ``pack_paths`` that have ``length`` paths together."""
        self._chunks = chunks
        self._length = length
        self._unpack = lru_cache(CHUNKS_KEPT)(self._unpack_chunk)

    def _unpack_chunk(self, number: int) -> list[str]:
        return unpack_paths(self._chunks[number])

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(map(unpack_paths, self._chunks))

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, int):
            chunk, place = divmod(range(self._length)[index], CHUNK)
            return self._unpack(chunk)[place]
        wanted = range(self._length)[index]
        if wanted.step != 1:
            return [self[place] for place in wanted]
        chunks = range(wanted.start // CHUNK, -(-wanted.stop // CHUNK))
        found = list(chain.from_iterable(map(self._unpack, chunks))) if wanted else []
        first = wanted.start % CHUNK
        return found[first : first + len(wanted)]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        same_length = len(self) == len(other)
        return same_length and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as of a list: equal ones may be of other kinds

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._length} paths)"


class _Part(Sequence[str]):
    """A part of other paths, which it reads when it is asked for them."""

    def __init__(self, paths: Sequence[str], places: range) -> None:
        self._paths = paths
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths[self._places.start : self._places.stop])

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, int):
            return self._paths[self._places[index]]
        return list(self)[index]


def split_paths(paths: Sequence[str], sizes: Sequence[int]) -> list[Sequence[str]]:
    """Split ``paths`` into parts of these sizes, which take no memory of their own."""
    ends = accumulate(sizes)
    return [_Part(paths, range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]


class PathSorter:
    """Sorts paths by their bytes, which no locale changes, however many are added.

    They are kept packed, in sorted runs. A walk that adds nearly everything in order makes one run.
    """

    def __init__(self) -> None:
        self._pending: list[str] = []
        self._runs: list[list[bytes]] = []
        self._last = b""  # path of the last run
        self._length = 0

    def add(self, paths: Iterable[str]) -> None:
        """Add paths in any order."""
        self._pending += paths
        if len(self._pending) >= RUN:
            self._put_away(len(self._pending) // CHUNK * CHUNK)

    def _put_away(self, n_paths: int) -> None:
        """Pack the first of the pending paths: in the last run if they follow it, or in another."""
        paths = sort_by_bytes(self._pending)
        paths, self._pending = paths[:n_paths], paths[n_paths:]
        if not self._runs or os.fsencode(paths[0]) < self._last:
            self._runs.append([])
        self._runs[-1] += map(pack_paths, _split(paths))
        self._last = os.fsencode(paths[-1])
        self._length += n_paths

    def pack(self) -> PackedPaths:
        """Return all paths that were added, sorted."""
        if self._pending:
            self._put_away(len(self._pending))
        if len(self._runs) > 1:
            runs = (chain.from_iterable(map(unpack_paths, run)) for run in self._runs)
            merged = merge(*runs, key=os.fsencode)
            self._runs = [[pack_paths(chunk) for chunk in _split(merged)]]
        return PackedPaths(list(chain(*self._runs)), self._length)


def _split(paths: Iterable[str]) -> Iterator[list[str]]:
    """Yield the paths in lists of a chunk each."""
    left = iter(paths)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def sort_by_bytes(paths: Iterable[str]) -> list[str]:
    """Sort paths by their bytes, which no locale changes."""
    return sorted(paths, key=os.fsencode)
