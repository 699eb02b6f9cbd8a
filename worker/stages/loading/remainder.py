"""The images of a batch that are to be loaded: all of them, or those that failed before a retry."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shoal.shared.store import Results
from shoal.shared.store.rows import FailedImage
from shoal.worker.images.hashes import HASH_DTYPE


@dataclass(frozen=True)
class BatchRows:
    """Images of a batch that were loaded, a row each.

    Attributes:
        features: Shape (n_loaded, n_features).
        hashes: Of HASH_DTYPE, shape (n_loaded,).
        widths: Columns of each extractor.
    """

    features: NDArray[Any]
    hashes: NDArray[np.void]
    widths: tuple[int, ...]

    def join(self, other: Self, order: NDArray[np.intp]) -> Self:
        """Join two sets of rows; ``order`` sorts their concatenation."""
        return type(self)(
            np.concatenate([self.features, other.features])[order],
            np.concatenate([self.hashes, other.hashes])[order],
            other.widths,
        )


@dataclass(frozen=True)
class Remainder:
    """What is to be loaded of a batch, and what was loaded before.

    Attributes:
        batch: Number of the batch.
        paths: Of the images to load, relative to the job's source.
        positions: Of these in the batch, ascending.
        rows: Of those loaded before; None if there are none.
        sheet: Thumbnails made before; empty if there are none.
        is_retry: Whether the batch was loaded before.
    """

    batch: int
    paths: list[str]
    positions: list[int]
    rows: BatchRows | None
    sheet: bytes = b""
    is_retry: bool = False

    @classmethod
    def read(cls, results: Results, batch: int, values: Mapping[str, bytes | None]) -> Self:
        """Read what is to be loaded of a batch, and what was loaded before a retry.

        Args:
            results: Of the job.
            batch: Number of the batch.
            values: Of the batch in ``results.batch_hashes``.

        Raises:
            NotFinishedError: The manifest has no such batch.
            zlib.error: Its manifest is damaged.
        """
        paths, loaded = results.batch(batch, values)
        if loaded is None or not loaded.shape.rows:
            return cls(batch, paths, list(range(len(paths))), None, is_retry=loaded is not None)
        features = np.frombuffer(loaded.features, loaded.shape.dtype)
        features = features.reshape(loaded.shape.rows, loaded.shape.columns)
        hashes = np.frombuffer(loaded.hashes, HASH_DTYPE)
        rows = BatchRows(features, hashes, loaded.shape.widths)
        positions = [failure.position for failure in loaded.failures]
        missing = [paths[position] for position in positions]
        return cls(batch, missing, positions, rows, loaded.thumbnails, is_retry=True)

    @property
    def n_images(self) -> int:
        """The number of images of the whole batch."""
        return len(self.positions) + (0 if self.rows is None else len(self.rows.features))

    def loaded_positions(self, failures: list[FailedImage]) -> list[int]:
        """List the positions in the batch of those of ``paths`` that are not among ``failures``."""
        failed = {failure.position for failure in failures}
        return [position for n, position in enumerate(self.positions) if n not in failed]

    def merge(
        self, rows: BatchRows, failures: list[FailedImage]
    ) -> tuple[BatchRows, list[FailedImage]]:
        """Merge what was loaded now with what was loaded before, in the order of the manifest.

        Args:
            rows: Of those of ``paths`` that were loaded now.
            failures: Of the others; each position is one in ``paths``.
        """
        now = self.loaded_positions(failures)
        failures = [replace(f, position=self.positions[f.position]) for f in failures]
        if self.rows is None or not len(rows.features):
            return (rows if self.rows is None else self.rows), failures
        before = np.setdiff1d(np.arange(self.n_images), self.positions)
        return self.rows.join(rows, np.argsort([*before, *now])), failures
