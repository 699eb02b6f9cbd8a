"""The images of a batch that are still to be loaded: all, or those that failed before a retry."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shoal.shared.store import Results
from shoal.shared.store.rows import FailedImage
from shoal.worker.images.hashes import HASH_DTYPE


@dataclass(frozen=True)
class BatchRows:
    """What the images of a batch became, a row each.

    Attributes:
        features: Shape (n_loaded, n_features).
        hashes: Of HASH_DTYPE, shape (n_loaded,).
        widths: Columns of each extractor.
    """

    features: NDArray[Any]
    hashes: NDArray[np.void]
    widths: tuple[int, ...]

    def join(self, other: Self, order: NDArray[np.intp]) -> Self:
        """Return these rows and then the others', in ``order``."""
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
        positions: Their places in the batch, ascending.
        rows: Of those loaded before; None if there are none.
        page: Thumbnails made before; empty if there are none.
        is_retry: Whether the batch was loaded before.
    """

    batch: int
    paths: list[str]
    positions: list[int]
    rows: BatchRows | None
    page: bytes = b""
    is_retry: bool = False

    @classmethod
    def find(cls, results: Results, batch: int, notes: Sequence[bytes | None]) -> Self:
        """Return what is to be loaded of a batch, by what the store notes of it.

        Raises:
            NotFinishedError: The manifest has no such batch.
            zlib.error: Its manifest is damaged.
        """
        paths, loaded = results.batch(batch, notes)
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
        """How many images the batch has in all."""
        return len(self.positions) + (0 if self.rows is None else len(self.rows.features))

    def loaded_positions(self, failures: list[FailedImage]) -> list[int]:
        """Return the places in the batch of those of ``paths`` that are not among ``failures``."""
        failed = {failure.position for failure in failures}
        return [place for n, place in enumerate(self.positions) if n not in failed]

    def merge(
        self, rows: BatchRows, failures: list[FailedImage]
    ) -> tuple[BatchRows, list[FailedImage]]:
        """Return the rows and failures of the whole batch, in the order of the manifest.

        Args:
            rows: Of those of ``paths`` that were loaded.
            failures: The others; each position is a place in ``paths``.
        """
        now = self.loaded_positions(failures)
        failures = [replace(f, position=self.positions[f.position]) for f in failures]
        if self.rows is None or not len(rows.features):
            return (rows if self.rows is None else self.rows), failures
        before = np.setdiff1d(np.arange(self.n_images), self.positions)
        return self.rows.join(rows, np.argsort([*before, *now])), failures
