"""The images of a batch that are still to be loaded: all, or those that failed before a retry."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.store import Results
from shared.store.results import FailedImage

Rows = NDArray[Any]


@dataclass(frozen=True)
class Remainder:
    """What is to be loaded of a batch, and what was loaded before.

    Attributes:
        batch: Number of the batch.
        paths: Of the images to load, relative to the job's source.
        positions: Their places in the batch, ascending.
        rows: Features loaded before, of shape (n_before, n_features); None if there are none.
    """

    batch: int
    paths: list[str]
    positions: list[int]
    rows: Rows | None

    @classmethod
    def find(cls, results: Results, batch: int) -> Self:
        """Return what is to be loaded of a batch.

        Raises:
            NotFinishedError: The manifest has no such batch.
            zlib.error: Its manifest is damaged.
        """
        paths = results.paths(batch)
        loaded = results.loaded(batch)
        if loaded is None or not loaded.shape.rows:
            return cls(batch, paths, list(range(len(paths))), None)
        rows = np.frombuffer(loaded.features, loaded.shape.dtype)
        rows = rows.reshape(loaded.shape.rows, loaded.shape.columns)
        positions = [failure.position for failure in loaded.failures]
        return cls(batch, [paths[position] for position in positions], positions, rows)

    def merge(self, rows: Rows, failures: list[FailedImage]) -> tuple[Rows, list[FailedImage]]:
        """Return the features and failures of the whole batch, in the order of the manifest.

        Args:
            rows: Features of those of ``paths`` that were loaded, (n_loaded, n_features).
            failures: The others; each position is a place in ``paths``.
        """
        failures = [replace(f, position=self.positions[f.position]) for f in failures]
        if self.rows is None or not len(rows):
            return (rows if self.rows is None else self.rows), failures
        total = len(self.rows) + len(self.positions)
        failed = {failure.position for failure in failures}
        before = np.setdiff1d(np.arange(total), self.positions)
        now = [position for position in self.positions if position not in failed]
        order = np.argsort([*before, *now])
        return np.concatenate([self.rows, rows])[order], failures
