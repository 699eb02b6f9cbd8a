"""Copying: the rows of a batch are the coordinates that another job has of the same images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import NotFinishedError, ShardLostError, UnknownJobError, UsageError
from shoal.shared.images.thumbnails import list_shown
from shoal.shared.jobs import Wave
from shoal.shared.store import Commit, Kind, Ledger, Results
from shoal.shared.store.batches import Attempt
from shoal.shared.store.copying import StoredBatch, find_batch, read_batch
from shoal.shared.store.rows import FailedImage, Shape
from shoal.shared.store.tables import BatchPaths
from shoal.worker import Checkpoint
from shoal.worker.images.hashes import HASH_DTYPE
from shoal.worker.images.thumbnails import NO_TILES, cut_sheet, make_sheet
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import WorkLostError
from shoal.worker.stages.attempts import fail_hopeless, keep_batch, log_batch


@dataclass(frozen=True)
class CopiedRows:
    """What another job has of some images, those of a batch of this job.

    Attributes:
        paths: Of these images, once all of their rows are joined.
        coordinates: Of those that were loaded, shape (n_loaded, n_components).
        hashes: Of the same, of HASH_DTYPE.
        failures: Of the others; positions are those in this job's batch.
        shown: Numbers of the rows that have a tile.
        tiles: Of these, of TILE_DTYPE, shape (n_shown,); None where they are lost.
    """

    paths: Sequence[str]
    coordinates: NDArray[np.float32]
    hashes: NDArray[np.void]
    failures: list[FailedImage]
    shown: NDArray[np.int64]
    tiles: NDArray[np.void] | None


def copy_batch(context: WorkerContext, ledger: Ledger, batch: int, attempt: Attempt) -> Commit:
    """Copy what another job has of a batch's images, and commit it as if they were loaded."""
    try:
        with keep_batch(context, ledger, Wave.LOADING, batch) as heartbeat:
            context.check_place(ledger.job_id)
            results = context.results(ledger.job_id)
            copied = _copy_rows(context, ledger, results.paths(batch), heartbeat.checkpoint)
            seconds = heartbeat.seconds
            commit = _commit(ledger, results, batch, copied, attempt.token, seconds)
    except (NotFinishedError, ShardLostError, UsageError) as error:
        # Another attempt would end the same way.
        return fail_hopeless(context, ledger, Wave.LOADING, str(error))
    except WorkLostError:
        return Commit.STALE
    counts = {"loaded": len(copied.hashes), "failed": len(copied.failures)}
    outcome = {"attempt": attempt.number, **counts, "commit": commit, "seconds": seconds}
    log_batch(ledger, Wave.LOADING, batch, **outcome)
    return commit


def _copy_rows(
    context: WorkerContext, ledger: Ledger, paths: Sequence[str], checkpoint: Checkpoint
) -> CopiedRows:
    """Copy the rows of the images at ``paths``.

    Raises:
        NotFinishedError: They have expired, or are not those for which the job was submitted.
        ShardLostError: They are missing or damaged where shards are kept.
        UsageError: This worker keeps shards elsewhere.
    """
    source_id = ledger.request.coordinates_of or ""
    source = context.results(source_id)
    parts, positions = list[CopiedRows](), {path: n for n, path in enumerate(paths)}
    try:
        total = context.ledger(source_id).total
        context.check_place(source_id)
        for number, stored in _read_batches(source, positions):
            checkpoint()
            shown = _list_shown(number, stored.images, total, stored.shown)
            parts.append(_choose_rows(stored, shown, positions, ledger.request.components))
        # After they were read: once a job is retried, it has no model or another one.
        is_same = source.model_token() == ledger.coordinates_token()
    except (NotFinishedError, UnknownJobError) as error:
        raise _gone(source_id) from error
    if not is_same or sum(len(part.hashes) + len(part.failures) for part in parts) != len(paths):
        raise _gone(source_id)
    return _join(paths, parts)


def _gone(job_id: str) -> NotFinishedError:
    return NotFinishedError(
        f"Job {job_id} has expired, or was retried, before its coordinates were copied: submit its"
        " folder again, and cluster the new job's."
    )


def _read_batches(
    source: Results, positions: Mapping[str, int]
) -> Iterator[tuple[int, StoredBatch]]:
    """Yield the batches of another job that have these paths, which are sorted as its own."""
    left = len(positions)
    for number in range(find_batch(source, next(iter(positions))), source.n_batches()):
        if left <= 0:
            return
        stored = read_batch(source, number)
        left -= len(positions.keys() & stored.images.paths)
        yield number, stored


def _list_shown(
    batch: int, images: BatchPaths, total: int, given: Sequence[int] | None = None
) -> NDArray[np.int64]:
    failed = images.failed_positions()
    return np.array(list_shown(batch, len(images.paths), total, failed, given), np.int64)


def _choose_rows(
    stored: StoredBatch,
    shown: NDArray[np.int64],
    positions: Mapping[str, int],
    n_components: int | None,
) -> CopiedRows:
    """Choose the rows of some images from a batch of another job.

    ``shown`` are the numbers of the rows there that have a tile.
    """
    loaded = stored.images.loaded()
    chosen = np.array([path in positions for path in loaded], bool)
    rows = np.frombuffer(stored.coordinates, "<f4").reshape(len(loaded), -1 if loaded else 0)
    failures = [
        replace(failure, position=positions[path])
        for failure in stored.images.failed
        if (path := stored.images.paths[failure.position]) in positions
    ]
    has_tile = chosen[shown]
    tiles = None
    if stored.sheet or not len(shown):
        tiles = cut_sheet(stored.sheet, len(shown)) if len(shown) else NO_TILES
        tiles = tiles[has_tile]
    return CopiedRows(
        (),
        rows[chosen, :n_components],
        np.frombuffer(stored.hashes, HASH_DTYPE)[chosen],
        failures,
        (np.cumsum(chosen) - 1)[shown[has_tile]],
        tiles,
    )


def _join(paths: Sequence[str], parts: Sequence[CopiedRows]) -> CopiedRows:
    """Join the rows of the images at ``paths``, in the order in which they are."""
    starts = np.cumsum([0, *(len(part.hashes) for part in parts)])
    with_rows = [part.coordinates for part in parts if len(part.hashes)]
    tiles = [part.tiles for part in parts if part.tiles is not None]
    return CopiedRows(
        paths,
        np.concatenate(with_rows) if with_rows else np.empty((0, 0), np.float32),
        np.concatenate([part.hashes for part in parts]),
        [failure for part in parts for failure in part.failures],
        np.concatenate([part.shown + start for part, start in zip(parts, starts, strict=False)]),
        np.concatenate(tiles) if len(tiles) == len(parts) else None,
    )


def _commit(
    ledger: Ledger, results: Results, batch: int, copied: CopiedRows, token: str, seconds: float
) -> Commit:
    """Commit the rows of a batch; ``token`` is of the attempt, ``seconds`` are how long it took."""
    n_rows, n_columns = copied.coordinates.shape
    shape = Shape(n_rows, n_columns, "<f4", (n_columns,))
    images = BatchPaths([*copied.paths], copied.failures)
    if not np.array_equal(copied.shown, _list_shown(batch, images, ledger.total)):
        shape = replace(shape, shown=tuple(copied.shown.tolist()))
    values = results.loading_values(shape, copied.failures, copied.hashes.tobytes())
    counts = (n_rows, len(copied.failures))

    def send(shards: Mapping[Kind, str]) -> Commit:
        return ledger.batches.commit_loading(batch, shards, counts, values, seconds)

    contents = {Kind.FEATURES: [copied.coordinates.tobytes()]}
    if copied.tiles is not None and len(copied.tiles):
        contents[Kind.THUMBNAILS] = [make_sheet(copied.tiles, ledger.total)]
    return results.shards.commit(batch, token, contents, send)
