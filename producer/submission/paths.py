"""Paths by the million: sorted and packed, so that a folder of any size fits into little memory."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from heapq import merge
from itertools import accumulate, chain, islice
from typing import Any, Generic, TypeVar, overload

from shoal.shared.encoding import pack_paths, unpack_paths

# Paths packed together. Sorted ones take 3 to 6 bytes each then, as text in Python some 80.
CHUNK = 1024
# Chunks kept unpacked, for those who read a few paths at a time.
CHUNKS_KEPT = 4
# Paths that are sorted at once.
RUN = 64 * CHUNK


Row = TypeVar("Row")
Chunk = TypeVar("Chunk")


class Packed(Sequence[Row]):
    """Rows that never change, in packed chunks of 1,024; the last chunk may have fewer."""

    def __init__(
        self, chunks: Sequence[Chunk], length: int, unpack: Callable[[Chunk], list[Row]]
    ) -> None:
        """Take chunks of ``length`` rows together, each of which ``unpack`` unpacks."""
        self._length = length
        self._unpack_all = partial(map, unpack, chunks)
        self._unpack = lru_cache(CHUNKS_KEPT)(lambda number: unpack(chunks[number]))

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self._unpack_all())

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
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
        return f"{type(self).__name__}({self._length} rows)"


class PackedPaths(Packed[str]):
    """Paths that never change, in chunks of ``pack_paths``.

    Attributes:
        chunks: These.
    """

    def __init__(self, chunks: Sequence[bytes], length: int) -> None:
        self.chunks = chunks
        super().__init__(chunks, length, unpack_paths)


class _Part(Sequence[Row]):
    """A part of other rows, which it reads when it is asked for them."""

    def __init__(self, rows: Sequence[Row], places: range) -> None:
        self._rows = rows
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows[self._places.start : self._places.stop])

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, int):
            return self._rows[self._places[index]]
        return list(self)[index]


def split_rows(rows: Sequence[Row], sizes: Sequence[int]) -> list[Sequence[Row]]:
    """Split paths or locations into parts of these sizes, which take no memory of their own."""
    ends = accumulate(sizes)
    return [_Part(rows, range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]


class Sorter(Generic[Row]):
    """Sorts rows by the bytes of their paths, which no locale changes, however many are added.

    They are kept packed, in sorted runs. A walk that adds nearly everything in order makes one run.
    """

    def __init__(
        self,
        encode: Callable[[Row], bytes],
        pack: Callable[[list[Row]], Any],
        unpack: Callable[[Any], list[Row]],
    ) -> None:
        """Take what encodes the path of a row, and what packs and unpacks a chunk of rows."""
        self._encode, self._pack, self._unpack = encode, pack, unpack
        self._pending: list[Row] = []
        self._runs: list[list[Any]] = []
        self._last = b""  # path of the last run
        self.length = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self._pending and not self._runs

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows in any order."""
        self._pending += rows
        if len(self._pending) >= RUN:
            self._put_away(len(self._pending) // CHUNK * CHUNK)

    def _put_away(self, n_rows: int) -> None:
        """Pack the first of the pending rows: in the last run if they follow it, or in another."""
        rows = sorted(self._pending, key=self._encode)
        rows, self._pending = rows[:n_rows], rows[n_rows:]
        if not self._runs or self._encode(rows[0]) < self._last:
            self._runs.append([])
        self._runs[-1] += map(self._pack, split_chunks(rows))
        self._last = self._encode(rows[-1])
        self.length += n_rows

    def chunks(self) -> list[Any]:
        """Return all rows that were added, sorted, as packed chunks."""
        if self._pending:
            self._put_away(len(self._pending))
        if len(self._runs) > 1:
            self._runs = [list(map(self._pack, split_chunks(self.merge())))]
        return list(chain(*self._runs))

    def merge(self) -> Iterator[Row]:
        """Yield all rows that were added, in their order."""
        if self._pending:
            self._put_away(len(self._pending))
        runs = [chain.from_iterable(map(self._unpack, run)) for run in self._runs]
        return merge(*runs, key=self._encode) if len(runs) > 1 else chain(*runs)


class PathSorter(Sorter[str]):
    """Sorts paths by their bytes."""

    def __init__(self) -> None:
        super().__init__(os.fsencode, pack_paths, unpack_paths)

    def pack(self) -> PackedPaths:
        """Return all paths that were added, sorted."""
        return PackedPaths(self.chunks(), self.length)


def pack_sorted(paths: Iterable[str]) -> PackedPaths:
    """Pack paths that are in their order already."""
    chunks, length = list[bytes](), 0
    for chunk in split_chunks(paths):
        chunks.append(pack_paths(chunk))
        length += len(chunk)
    return PackedPaths(chunks, length)


def split_chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows in lists of a chunk each."""
    left = iter(rows)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def sort_by_bytes(paths: Iterable[str]) -> list[str]:
    """Sort paths by their bytes, which no locale changes."""
    return sorted(paths, key=os.fsencode)
