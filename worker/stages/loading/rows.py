"""The rows of a batch: those to be loaded now, and those that were loaded before a retry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shoal.shared.images.thumbnails import sample_positions
from shoal.shared.sources.locations import Location
from shoal.shared.store import Results
from shoal.shared.store.rows import FailedImage
from shoal.worker.images.hashes import HASH_DTYPE
from shoal.worker.images.thumbnails import cut_sheet, make_sheet


@dataclass(frozen=True)
class BatchRows:
    """Images of a batch that were loaded, a row each, in the order of the manifest.

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
class ExtractedRows:
    """The rows of images that were loaded now, or known, and what is shown of them.

    Attributes:
        rows: In the order of the manifest.
        tiles: Of the same images, of TILE_DTYPE, shape (n_loaded,).
        n_known: How many images of the batch, loaded or failed, were known.
    """

    rows: BatchRows
    tiles: NDArray[np.void]
    n_known: int = 0


NO_ROWS = BatchRows(np.empty((0, 0), np.float32), np.empty(0, HASH_DTYPE), ())


@dataclass(frozen=True)
class Remainder:
    """The images of a batch that are to be loaded: all, or those that failed before a retry.

    Attributes:
        batch: Number of the batch.
        paths: Of the images to load, relative to the job's source.
        locations: Of the same images; None for files in a folder.
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
    locations: Sequence[Location] | None = None

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
        paths, loaded = results.batch(values)
        locations = results.locations_among(values)
        if loaded is None or not loaded.shape.rows:
            every = list(range(len(paths)))
            return cls(batch, paths, every, None, is_retry=loaded is not None, locations=locations)
        features = np.frombuffer(loaded.features, loaded.shape.dtype)
        features = features.reshape(loaded.shape.rows, loaded.shape.columns)
        hashes = np.frombuffer(loaded.hashes, HASH_DTYPE)
        rows = BatchRows(features, hashes, loaded.shape.widths)
        positions = [failure.position for failure in loaded.failures]
        missing = [paths[position] for position in positions]
        where = locations and [locations[position] for position in positions]
        return cls(
            batch, missing, positions, rows, loaded.thumbnails, is_retry=True, locations=where
        )

    def merge_rows(self, rows: BatchRows, failures: Sequence[FailedImage]) -> BatchRows:
        """Merge the rows loaded now with those loaded before, in the order of the manifest.

        Args:
            rows: Of those of ``paths`` that were loaded now.
            failures: Of the others; each position is one in ``paths``.
        """
        if self.rows is None:
            return rows
        if not len(rows.features):
            return self.rows
        before = np.setdiff1d(np.arange(self._n_images), self.positions)
        return self.rows.join(rows, np.argsort([*before, *self._loaded_positions(failures)]))

    def place_failures(self, failures: Sequence[FailedImage]) -> list[FailedImage]:
        """Return ``failures`` with their positions in the batch in place of those in ``paths``."""
        return [replace(f, position=self.positions[f.position]) for f in failures]

    def make_sheet(
        self, tiles: NDArray[np.void], failures: Sequence[FailedImage], total: int
    ) -> bytes:
        """Make one sheet of the thumbnails of the whole batch, in row order.

        It stays empty for a batch that an older version loaded without thumbnails.

        Args:
            tiles: Of the images loaded now, of TILE_DTYPE, shape (n_loaded,).
            failures: Of the others; each position is one in ``paths``.
            total: Images of the job.
        """
        shown = set(sample_positions(self.batch, self._n_images, total))
        before = sorted(shown.difference(self.positions))
        loaded = self._loaded_positions(failures)
        now = [position in shown for position in loaded]
        tiles = tiles[now]
        if before and not self.sheet:
            return b""
        if before:
            order = np.argsort([*before, *compress(loaded, now)])
            tiles = np.concatenate([cut_sheet(self.sheet, len(before)), tiles])[order]
        return make_sheet(tiles, total)

    @property
    def _n_images(self) -> int:
        return len(self.positions) + (0 if self.rows is None else len(self.rows.features))

    def _loaded_positions(self, failures: Sequence[FailedImage]) -> list[int]:
        failed = {failure.position for failure in failures}
        return [position for n, position in enumerate(self.positions) if n not in failed]
