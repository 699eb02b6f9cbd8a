"""Rows of features, read from those of all batches."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shoal.shared.cores import count_cores
from shoal.shared.errors import JobFailedError, show_call
from shoal.shared.store import Kind, Results
from shoal.shared.store.rows import Shape
from shoal.worker import Checkpoint
from shoal.worker.clustering.rows import PartedRows, Rows
from shoal.worker.clustering.sampling import split_rows

# If fewer of a batch's rows are needed than this share, they are read one by one.
SPARSE = 0.25


@dataclass(frozen=True)
class FeatureRows:
    """The features of all images of a job, of which any rows can be read.

    Attributes:
        results: Of the job.
        shapes: Of the features of each batch; one batch has rows, at least.
        checkpoint: Called for each batch; may raise to stop.
    """

    results: Results
    shapes: list[Shape]
    checkpoint: Checkpoint

    @property
    def form(self) -> Shape:
        """A batch that has rows: columns, dtype and widths are those of all."""
        return next(shape for shape in self.shapes if shape.rows)

    @property
    def row_bytes(self) -> int:
        """Bytes of the features of one image."""
        return self.form.columns * np.dtype(self.form.dtype).itemsize

    def split(self, chosen: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Split ``chosen`` rows, in ascending order, into the positions in each batch."""
        return split_rows(chosen, [shape.rows for shape in self.shapes])

    def open(self, chosen: NDArray[np.int64]) -> Rows:
        """Open the ``chosen`` rows, which ascend, in manifest order.

        Where they are in files, they are mapped when they are needed, and never copied as a whole.
        A sample that takes few rows of each file is read: it is small, and is read often.
        """
        n_rows = sum(shape.rows for shape in self.shapes)
        if not self.results.shards.place.maps_files or len(chosen) < SPARSE * n_rows:
            return self.read(chosen)
        parts = self.split(chosen)

        def read(batch: int, rows: slice) -> NDArray[Any]:
            self.checkpoint()
            return _take(self._map(batch), parts[batch][rows])

        return PartedRows(list(map(len, parts)), read, self.form.columns, self.form.dtype)

    def read(self, chosen: NDArray[np.int64]) -> NDArray[np.generic]:
        """Read the ``chosen`` rows, which ascend, in manifest order."""
        rows = np.empty((len(chosen), self.form.columns), self.form.dtype)
        parts = self.split(chosen)
        ends = np.cumsum([len(part) for part in parts])

        def read(batch: int) -> None:
            self.checkpoint()
            if n_rows := len(parts[batch]):
                rows[ends[batch] - n_rows : ends[batch]] = self._read_batch(batch, parts[batch])

        # In threads: half of the time the kernel is giving out fresh memory page by page.
        with ThreadPoolExecutor(count_cores()) as pool:
            list(pool.map(read, range(len(parts))))  # raises what a thread raised
        return rows

    def _read_batch(self, batch: int, positions: NDArray[np.int64]) -> NDArray[np.generic]:
        """Read the rows of a batch at ``positions``: one by one if few, else the whole batch."""
        shape = self.shapes[batch]
        if len(positions) < SPARSE * shape.rows:
            ranges = [
                (first * shape.row_bytes, count * shape.row_bytes)
                for first, count in _list_runs(positions)
            ]
            raw = b"".join(self.results.shards.read_ranges(self._name(batch), ranges))
            return np.frombuffer(raw, shape.dtype).reshape(len(positions), shape.columns)
        return _take(self._map(batch), positions)

    def _map(self, batch: int) -> NDArray[Any]:
        shape = self.shapes[batch]
        raw = memoryview(self.results.shards.read(self._name(batch)))
        rows = np.frombuffer(raw[: shape.statistics_range[0]], shape.dtype)
        return rows.reshape(shape.rows, shape.columns)

    def _name(self, batch: int) -> str:
        try:
            return self._names[batch]
        except KeyError:
            job_id = self.results.job_id
            raise JobFailedError(
                f"The features of batch {batch} have expired or are lost:"
                f" {show_call(job_id, 'retry')} loads them again."
            ) from None

    @cached_property
    def _names(self) -> dict[int, str]:
        return self.results.shards.names(Kind.FEATURES)


def _take(rows: NDArray[Any], positions: NDArray[np.int64]) -> NDArray[Any]:
    """Take the rows at ``positions``, which ascend; a view where they follow each other."""
    if len(positions) and positions[-1] - positions[0] + 1 == len(positions):
        return rows[positions[0] : positions[-1] + 1]
    return np.asarray(rows[positions])


def _list_runs(positions: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield the first and the number of positions that follow each other."""
    if len(positions):
        for run in np.split(positions, np.flatnonzero(np.diff(positions) != 1) + 1):
            yield int(run[0]), len(run)
