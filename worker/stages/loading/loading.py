"""Loading: from the images of one batch to rows of features."""

import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import DamagedJobError, NotFinishedError, UsageError
from shoal.shared.findings import FailureReason
from shoal.shared.jobs import Wave
from shoal.shared.store import Commit, Kind, Ledger
from shoal.shared.store.batches import Attempt
from shoal.shared.store.rows import FailedImage, Shape
from shoal.worker import Checkpoint
from shoal.worker.extractors import Extractor, extract_blocks, extract_in_chunks, find_extractors
from shoal.worker.images.hashes import HASH_DTYPE, perceptual_hash
from shoal.worker.images.thumbnails import NO_TILES, make_tiles
from shoal.worker.model.statistics import FeatureStatistics
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import WorkLostError
from shoal.worker.runtime.watchdog import Watchdog
from shoal.worker.stages.attempts import (
    MOST_BATCH_ATTEMPTS,
    describe_hopeless,
    end_attempt,
    fail_hopeless,
    is_of_container,
    keep_batch,
    log_batch,
    log_lost,
)
from shoal.worker.stages.cache import open_recall
from shoal.worker.stages.loading.access import check_source
from shoal.worker.stages.loading.copying import copy_batch
from shoal.worker.stages.loading.reading import LoadedImages, make_room, read_images
from shoal.worker.stages.loading.rows import NO_ROWS, BatchRows, ExtractedRows, Remainder

logger = logging.getLogger(__name__)

# Images between two checkpoints: an embedding takes 10 ms for each.
CHUNK = 64


def load_batch(context: WorkerContext, job_id: str, batch: int, redelivered: bool) -> Commit:
    """Load one batch and commit its features and failures."""
    ledger = context.ledger(job_id)
    results = context.results(job_id)
    attempt = ledger.batches.start(Wave.LOADING, batch, redelivered, results.batch_hashes)
    if attempt is None:
        return Commit.STALE
    if attempt.number > MOST_BATCH_ATTEMPTS:
        return _give_up(context, ledger, batch, attempt)
    if attempt.number > 1:
        log_lost(ledger, Wave.LOADING, batch, attempt.number)
    if _is_copied(ledger, batch):
        return copy_batch(context, ledger, batch, attempt)
    try:
        with keep_batch(context, ledger, Wave.LOADING, batch) as heartbeat:
            context.check_place(job_id)
            part = Remainder.read(results, batch, attempt.values)
            recall = open_recall(context, ledger, attempt.number, is_retry=part.is_retry)
            images = read_images(context, ledger, part, attempt.number, heartbeat, recall)
            if not part.is_retry:  # a finished job must not lose its results by a retry
                check_source(context, ledger, part, images.failures)
            rows, failures = _extract(context, ledger, part, images, heartbeat.checkpoint)
            seconds = heartbeat.seconds
            loaded = LoadedBatch(part, rows, failures, attempt.token, seconds)
            commit = _commit(context, ledger, loaded)
    except UsageError as error:
        # Another attempt on this worker would end the same way.
        return fail_hopeless(context, ledger, Wave.LOADING, str(error))
    except WorkLostError:
        return Commit.STALE
    counts = {"loaded": len(rows.tiles), "failed": len(failures), "known": rows.n_known}
    outcome = {"attempt": attempt.number, **counts, "commit": commit, "seconds": seconds}
    log_batch(ledger, Wave.LOADING, batch, **outcome)
    return commit


def _is_copied(ledger: Ledger, batch: int) -> bool:
    """Return whether the rows of a batch are those of another job.

    Raises:
        DamagedJobError: The request is of another version: noted, so that the batch is given up.
    """
    try:
        return ledger.request.coordinates_of is not None
    except DamagedJobError as error:
        end_attempt(ledger, Wave.LOADING, batch, f"{type(error).__name__}: {error}")
        raise


def _extract(
    context: WorkerContext,
    ledger: Ledger,
    part: Remainder,
    images: LoadedImages,
    checkpoint: Checkpoint,
) -> tuple[ExtractedRows, list[FailedImage]]:
    """Extract the rows of ``images``; on a retry, those that cannot be had here fail once more.

    Raises:
        UsageError: This worker does not have what a new job asks for.
    """
    try:
        return extract_rows(context, ledger, images, checkpoint), images.failures
    except UsageError as error:
        if not part.is_retry:
            raise
        # As with the source above: the job's other images must not be lost.
        failures = [
            FailedImage(position, FailureReason.UNSUPPORTED, str(error))
            for position in range(len(part.paths))
        ]
        return ExtractedRows(NO_ROWS, NO_TILES), failures


def _give_up(context: WorkerContext, ledger: Ledger, batch: int, attempt: Attempt) -> Commit:
    """Commit a batch that keeps failing: each of its images becomes a failure with the cause."""
    detail = describe_hopeless(ledger, Wave.LOADING, batch)
    raised = ledger.batches.last_error(Wave.LOADING, batch)
    # Only the death of its own decoder proves anything against an image.
    reason = FailureReason.DAMAGED if raised else FailureReason.LOST_WORKER
    try:
        # Nothing is wrong with its images.
        if ledger.request.coordinates_of or is_of_container(detail):
            return fail_hopeless(context, ledger, Wave.LOADING, detail)
        context.check_place(ledger.job_id)
        part = Remainder.read(context.results(ledger.job_id), batch, attempt.values)
        failures = [FailedImage(position, reason, detail) for position in range(len(part.paths))]
        nothing = LoadedImages(*make_room(ledger.request, 0), failures)
        rows = extract_rows(context, ledger, nothing, lambda: None)
        loaded = LoadedBatch(part, rows, failures, attempt.token)
        commit = _commit(context, ledger, loaded)
    except (zlib.error, NotFinishedError, LookupError, ValueError, UsageError, DamagedJobError):
        # The manifest is damaged, the request is of another version, or this worker lacks what
        # the job asks for.
        return fail_hopeless(context, ledger, Wave.LOADING, detail)
    logger.error(detail, extra={"job": ledger.job_id, "stage": Wave.LOADING})
    return commit


@dataclass(frozen=True)
class LoadedBatch:
    """What an attempt has loaded of a batch: rows and failures of its ``part``.

    ``token`` names what the attempt writes; ``seconds`` is how long it took, if that counts.
    """

    part: Remainder
    extracted: ExtractedRows
    failures: list[FailedImage]
    token: str
    seconds: float | None = None


def _commit(context: WorkerContext, ledger: Ledger, loaded: LoadedBatch) -> Commit:
    """Commit the rows of a batch together with those loaded before a retry."""
    part, extracted = loaded.part, loaded.extracted
    sheet = part.make_sheet(extracted.tiles, loaded.failures, ledger.total)
    rows = part.merge_rows(extracted.rows, loaded.failures)
    failures = part.place_failures(loaded.failures)
    features = np.ascontiguousarray(rows.features)
    statistics = FeatureStatistics.of(features).to_bytes()
    n_rows, n_columns = features.shape
    shape = Shape(n_rows, n_columns, features.dtype.str, rows.widths, len(statistics))
    results = context.results(ledger.job_id)
    values = results.loading_values(shape, failures, rows.hashes.tobytes())
    counts = (len(features), len(failures), extracted.n_known)

    def send(shards: Mapping[Kind, str]) -> Commit:
        return ledger.batches.commit_loading(part.batch, shards, counts, values, loaded.seconds)

    contents: dict[Kind, Sequence[bytes | memoryview]]
    contents = {Kind.FEATURES: [as_bytes(features), statistics]}
    if sheet:
        contents[Kind.THUMBNAILS] = [sheet]
    return results.shards.commit(part.batch, loaded.token, contents, send)


def as_bytes(features: NDArray[Any]) -> memoryview:
    """Return the bytes of an array whose rows follow each other, without copying them."""
    return features.reshape(-1).view(np.uint8).data


def extract_rows(
    context: WorkerContext, ledger: Ledger, images: LoadedImages, checkpoint: Checkpoint
) -> ExtractedRows:
    """Extract the rows of ``images``, and join them with those that the cache knows.

    The process is killed if an extractor hangs.

    Raises:
        UsageError: This worker does not have what the job asks for.
    """
    model = context.settings.embedding_model
    extractors = find_extractors(ledger.request.features, model)
    for extractor in extractors:
        check_same(ledger, extractor)
    if not len(images.pixels) and (known := images.recall.rows()):
        nothing = BatchRows(known.features[:0], known.hashes[:0], known.widths)
        return _join_known(images, nothing)
    parts = []
    hashes = np.empty(len(images.digests), HASH_DTYPE)
    hashes["content"] = images.digests
    with Watchdog(context.settings.image_seconds * CHUNK) as watchdog:
        for start in range(0, max(len(images.pixels), 1), CHUNK):
            checkpoint()
            watchdog.watch()
            part, widths = extract_blocks(extractors, images.pixels[start : start + CHUNK])
            parts.append(part)
    hashes["perceptual"] = extract_in_chunks(perceptual_hash, images.pixels)
    return _join_known(images, BatchRows(np.concatenate(parts), hashes, widths))


def _join_known(images: LoadedImages, rows: BatchRows) -> ExtractedRows:
    """Keep new rows for later jobs, and join them with those that the cache knows."""
    tiles, recall = make_tiles(images.pixels, images.ratios), images.recall
    recall.keep(rows.features, rows.hashes, tiles, rows.widths)
    if known := recall.rows():
        order = np.argsort([*images.positions, *known.positions])
        rows = rows.join(BatchRows(known.features, known.hashes, known.widths), order)
        tiles = np.concatenate([tiles, known.tiles])[order]
    return ExtractedRows(rows, tiles, recall.count_known())


def check_same(ledger: Ledger, extractor: Extractor) -> None:
    """Check that this worker's extractor is the same as on the job's other workers.

    Raises:
        UsageError: It is not: the digests differ, or its code and that of the model that is kept.
    """
    if extractor.digest and ledger.agree(extractor.name, extractor.digest) != extractor.digest:
        raise UsageError(
            f"The workers' models for {extractor.name} differ: give all of them the same version of"
            " Shoal and, if you set it, the same file as SHOAL_EMBEDDING_MODEL; then submit anew"
            " with `force=True`, and not with the model of an earlier job"
        )
    # Noted by every job, for one that keeps its model; a retry may be for the sake of other code.
    noted = ledger.agree(f"{extractor.name}-code", extractor.code) if extractor.code else ""
    if ledger.request.takes_model and noted != extractor.code:
        raise UsageError(
            f"The code of the features {extractor.name!r} has changed since the model was fitted:"
            " submit the folder as a new job, with a model of its own"
        )
