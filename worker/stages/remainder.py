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
        page: Thumbnails made before; empty if there are none.
    """

    batch: int
    paths: list[str]
    positions: list[int]
    rows: Rows | None
    page: bytes = b""

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
        return cls(
            batch, [paths[position] for position in positions], positions, rows, loaded.thumbnails
        )

    @property
    def n_images(self) -> int:
        """How many images the batch has in all."""
        return len(self.positions) + (0 if self.rows is None else len(self.rows))

    def loaded_positions(self, failures: list[FailedImage]) -> list[int]:
        """Return the places in the batch of those of ``paths`` that are not among ``failures``."""
        failed = {failure.position for failure in failures}
        return [place for n, place in enumerate(self.positions) if n not in failed]

    def merge(self, rows: Rows, failures: list[FailedImage]) -> tuple[Rows, list[FailedImage]]:
        """Return the features and failures of the whole batch, in the order of the manifest.

        Args:
            rows: Features of those of ``paths`` that were loaded, (n_loaded, n_features).
            failures: The others; each position is a place in ``paths``.
        """
        now = self.loaded_positions(failures)
        failures = [replace(f, position=self.positions[f.position]) for f in failures]
        if self.rows is None or not len(rows):
            return (rows if self.rows is None else self.rows), failures
        before = np.setdiff1d(np.arange(self.n_images), self.positions)
        order = np.argsort([*before, *now])
        return np.concatenate([self.rows, rows])[order], failures
