"""The cache of this process: where it is, what it has for a job, what it is given."""

import logging
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import ShoalError
from shoal.shared.server.places import find_cache_place
from shoal.shared.settings import Settings
from shoal.shared.shards import Shards, find_id
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.cache.learned import Learned
from shoal.worker.stages.cache.lookup import Lookup
from shoal.worker.stages.cache.segment import Form, Index, make_records
from shoal.worker.stages.cache.upkeep import (
    measure_cache,
    merge_segments,
    trim_cache,
    write_segment,
)

logger = logging.getLogger(__name__)

# Other processes write, too: once this one has written this share of the limit, all is measured.
UNMEASURED_SHARE = 1 / 128
# Folders whose indexes a process keeps.
MOST_LOOKUPS = 4

Value = TypeVar("Value")


class RowCache:
    """The rows that earlier jobs extracted, in a place of shards, within a limit of bytes.

    A job does without it rather than fail: no method raises an error of the place.
    """

    def __init__(self, shards: Shards, most_bytes: int, *, is_own: bool = True) -> None:
        """Set up without reading anything.

        Args:
            shards: Where the rows are.
            most_bytes: Of all rows there.
            is_own: Whether the place is one of this machine, which may get its id here. Not a
                shared one: its directory may not be mounted here any more.
        """
        self._shards = shards
        self._most_bytes = most_bytes
        self._is_own = is_own
        self._size_bytes = 0
        self._unmeasured_bytes = 0
        self._job = ""
        self._is_refused = False
        self._lookups = lru_cache(MOST_LOOKUPS)(lambda folder: Lookup(shards, folder))

    def find_lookup(self, folder: str, job_id: str, attempt: int) -> Lookup | None:
        """Return what the cache has of a folder; None if it cannot be read.

        It is read once a job. A batch whose process was lost finds what that process wrote, too.
        """
        lookup = self._lookups(folder)
        if job_id != self._job or attempt > 1:
            self._job, self._is_refused = job_id, False
            self.use(lambda: self._refresh(lookup), None)
        return None if self._is_refused else lookup

    def _refresh(self, lookup: Lookup) -> None:
        if self._is_own:
            find_id(self._shards)
        lookup.refresh()
        if merge_segments(self._shards, lookup.folder, lookup.segments):
            lookup.refresh()
        self._measure()
        self._trim()

    def _measure(self) -> None:
        self._size_bytes, self._unmeasured_bytes = measure_cache(self._shards), 0

    def write(
        self,
        folder: str,
        learned: Learned,
        features: NDArray[Any],
        hashes: NDArray[np.void],
        tiles: NDArray[np.void],
        widths: tuple[int, ...],
    ) -> None:
        """Keep what a batch learned, if the place lets it.

        Args:
            folder: Where rows are that depend on the same.
            learned: The keys.
            features: Of the images that were extracted, shape (n, n_features).
            hashes: Of HASH_DTYPE, shape (n,).
            tiles: Of TILE_DTYPE, shape (n,).
            widths: Columns of each extractor.
        """
        form = Form(features.shape[1], features.dtype.str, widths) if learned.rows else None
        records = make_records(form, learned.rows, features, hashes, tiles) if form else None
        index = learned.make_index(form)
        self.use(lambda: self._write(folder, learned.digest(), index, records), None)

    def _write(
        self, folder: str, digest: int, index: Index, records: NDArray[np.void] | None
    ) -> None:
        if records is not None and records.nbytes > self._most_bytes // 2:
            return  # it would drive out all others, and soon itself
        name = write_segment(self._shards, folder, digest, index, records)
        self._size_bytes += name.size_bytes
        self._unmeasured_bytes += name.size_bytes
        self._trim()

    def _trim(self) -> None:
        if self._unmeasured_bytes > self._most_bytes * UNMEASURED_SHARE:
            self._measure()
        if self._size_bytes > self._most_bytes:
            self._size_bytes = trim_cache(self._shards, self._most_bytes)

    def use(self, action: Callable[[], Value], otherwise: Value) -> Value:
        """Use the cache; if its place refuses, say so once a job, and do without."""
        try:
            return action()
        except (ShoalError, OSError) as error:
            if not self._is_refused:
                logger.warning("the cache cannot be used: %s", error, extra={"job": self._job})
            self._is_refused = True
            return otherwise


def find_cache(context: WorkerContext) -> RowCache | None:
    """Return the cache of this process; None if it is turned off."""
    return _open_cache(os.getpid(), context.settings)


@lru_cache(MOST_LOOKUPS)
def _open_cache(_process: int, settings: Settings) -> RowCache | None:
    """Open the cache once a process: a fork must not take its parent's word for what is there."""
    if not settings.cache_bytes:
        return None
    try:
        place, is_own = find_cache_place(settings), not settings.shards_url
        return RowCache(place, settings.cache_bytes, is_own=is_own)
    except (ShoalError, OSError) as error:
        logger.warning("the cache cannot be used: %s", error)
        return None
