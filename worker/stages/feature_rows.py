"""Rows of features, read from those of all batches."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shoal.shared.cores import count_cores
from shoal.shared.store import Results
from shoal.shared.store.rows import Shape
from shoal.worker import Checkpoint
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

    def split(self, chosen: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Split ``chosen`` rows, in ascending order, into the positions in each batch."""
        return split_rows(chosen, [shape.rows for shape in self.shapes])

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
        dtype = np.dtype(shape.dtype)
        if len(positions) < SPARSE * shape.rows:
            row_bytes = shape.columns * dtype.itemsize
            raw = self.results.feature_rows(batch, positions.tolist(), row_bytes)
            return np.frombuffer(raw, dtype).reshape(len(positions), shape.columns)
        raw = self.results.features(batch)
        every = np.frombuffer(raw, dtype).reshape(shape.rows, shape.columns)
        return every if len(positions) == shape.rows else every[positions]
