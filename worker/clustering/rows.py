"""Rows of features that lie in many parts, such as files, and are read a few at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Rows read at once by whoever goes through all of them.
ITERATED_ROWS = 1024
# And at most so many bytes of them: a row of 512 × 512 pixels has 0.8 MB.
READ_BYTES = 2**26


class PartedRows:
    """Rows in parts, of which slices can be taken as of one array; nothing else is kept.

    Attributes:
        shape: (n_rows, n_columns) of all parts together.
        dtype: Of the rows.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        read: Callable[[int, slice], NDArray[Any]],
        n_columns: int,
        dtype: DTypeLike,
    ) -> None:
        """Set up without reading anything.

        Args:
            sizes: Rows of each part.
            read: Reads a slice of the rows of a part, given by its number; from several threads.
            n_columns: Of each row.
            dtype: Of the rows.
        """
        self._ends = np.cumsum([0, *sizes])
        self._read = read
        self.shape = (int(self._ends[-1]), n_columns)
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        n_rows = limit_rows(self, ITERATED_ROWS)
        for start in range(0, len(self), n_rows):
            yield from self[start : start + n_rows]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return rows, as they are stored where one part has all of them, else a copy."""
        start, stop, step = rows.indices(len(self))
        pieces = list(self._split(start, stop, step))
        if len(pieces) == 1:
            return self._read(*pieces[0])
        # One part after the other: each may keep a file open as long as its rows are used.
        taken = np.empty((len(range(start, stop, step)), self.shape[1]), self.dtype)
        filled = 0
        for part, wanted in pieces:
            found = self._read(part, wanted)
            taken[filled : filled + len(found)] = found
            filled += len(found)
        return taken

    def _split(self, start: int, stop: int, step: int) -> Iterator[tuple[int, slice]]:
        """Split a slice of all rows into slices of parts, without those that have none of them."""
        while start < stop:
            part = int(np.searchsorted(self._ends, start, side="right")) - 1
            first, end = int(self._ends[part]), min(stop, int(self._ends[part + 1]))
            yield part, slice(start - first, end - first, step)
            start += -(-(end - start) // step) * step


Rows: TypeAlias = NDArray[Any] | PartedRows


def limit_rows(rows: Rows, most: int) -> int:
    """Return how many rows to read at once: ``most``, or fewer where 64 MB have fewer."""
    row_bytes = int(rows.shape[1] * rows.dtype.itemsize)
    return max(1, min(most, READ_BYTES // max(1, row_bytes)))
