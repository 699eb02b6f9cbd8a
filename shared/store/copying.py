"""What a finished job has of its images, batch by batch, for one that clusters them again."""

import os
from bisect import bisect_right
from dataclasses import dataclass

from shoal.shared.errors import NotFinishedError, ShardLostError
from shoal.shared.store.results import Results
from shoal.shared.store.rows import HASH_ROW, Shape
from shoal.shared.store.shards import Content, Kind
from shoal.shared.store.tables import BatchPaths
from shoal.shared.wire import decode


@dataclass(frozen=True)
class StoredBatch:
    """What a finished job has of a batch; rows are those of the loaded images, in their order.

    Attributes:
        images: Paths of all images, and those that failed.
        coordinates: Rows of float32.
        hashes: Rows of 16 bytes.
        shown: Numbers of the rows that have a tile, as in ``Shape``.
        sheet: JPEG of these tiles; empty where there is none, or not any more.
    """

    images: BatchPaths
    coordinates: Content
    hashes: bytes
    shown: tuple[int, ...] | None
    sheet: bytes


def find_batch(results: Results, path: str) -> int:
    """Find the batch that has ``path``: batches are sorted by path."""
    wanted, batches = os.fsencode(path), range(results.n_batches())
    after = bisect_right(batches, wanted, key=lambda batch: os.fsencode(results.paths(batch)[0]))
    return max(after - 1, 0)


def read_batch(results: Results, batch: int) -> StoredBatch:
    """Read what a finished job has of a batch.

    Raises:
        NotFinishedError: It has no coordinates, yet or any more.
        ShardLostError: They are missing or damaged where shards are kept.
    """
    images, keys = next(results.batch_paths([batch])), results.keys
    hashed = (keys.hashes, keys.shapes, *map(keys.shards, (Kind.COORDINATES, Kind.THUMBNAILS)))
    with results.client.pipeline(transaction=False) as pipe:
        for key in hashed:
            pipe.hget(key, str(batch))
        hashes, shape, coordinates, sheet = pipe.execute()
    n_loaded = len(images.paths) - len(images.failed)
    if shape is None or hashes is None or len(hashes) != n_loaded * HASH_ROW.size:
        raise _expired(results)
    if n_loaded and not coordinates:
        raise _expired(results)
    return StoredBatch(
        images,
        results.shards.read(coordinates.decode()) if n_loaded else b"",
        hashes,
        decode(shape, Shape).shown,
        _read_sheet(results, sheet),
    )


def _read_sheet(results: Results, name: bytes | None) -> bytes:
    try:
        return bytes(results.shards.read(name.decode())) if name else b""
    except ShardLostError:  # a map without pictures is worth more than none
        return b""


def _expired(results: Results) -> NotFinishedError:
    return NotFinishedError(
        f"The coordinates of job {results.job_id} have expired: submit its folder again."
    )
