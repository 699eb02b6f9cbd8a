"""Loading: decode, resize and flatten the images of one batch."""

import logging
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shared.errors import NotFinishedError, UnreadableImageError, UsageError
from shared.jobs import FailureReason, JobRequest, Stage
from shared.store import Commit, Ledger
from shared.store.results import FailedImage
from worker.extractors import Extractor, Features, extract_blocks, find_extractors
from worker.heartbeat import NOT_WANTED, BatchHeartbeat, Watchdog, WorkLostError
from worker.images import load_image
from worker.isolation import IsolatedLoader
from worker.memory import limit_memory
from worker.stages.attempts import (
    MOST_ATTEMPTS,
    describe_hopeless,
    fail_hopeless,
    keep_batch,
    log_batch,
)
from worker.stages.outcome import Images, commit_features
from worker.stages.remainder import Remainder
from worker.workplace import Workplace

logger = logging.getLogger(__name__)

# Processes that a batch may cost before its images are decoded in a sub-process.
LOST_PROCESSES = 2

# Images between two looks at whether the work is still wanted: an embedding takes 10 ms for each.
CHUNK = 64

Load = Callable[[str], NDArray[np.uint8]]


def load_batch(workplace: Workplace, job_id: str, batch: int, redelivered: bool) -> Commit:
    """Load one batch and commit its features and failures."""
    ledger = workplace.ledger(job_id)
    attempt = ledger.start_batch(Stage.LOADING, batch, redelivered)
    if attempt is None:
        return Commit.STALE
    if attempt > MOST_ATTEMPTS:
        return give_up(workplace, ledger, batch)
    started = time.monotonic()
    try:
        with keep_batch(ledger, Stage.LOADING, batch) as heartbeat:
            part = Remainder.find(workplace.results(job_id), batch)
            images = read_images(workplace, ledger.request, part.paths, attempt, heartbeat)
            features, widths = extract_features(workplace, ledger, images.pixels, heartbeat.check)
            commit = commit_features(workplace, ledger, part, images, features, widths)
    except UsageError as error:
        # Nor would any other attempt here have what the job asks for.
        return fail_hopeless(workplace, ledger, Stage.LOADING, str(error))
    except WorkLostError:
        logger.info(NOT_WANTED, extra={"job": job_id, "stage": Stage.LOADING, "batch": batch})
        return Commit.STALE
    outcome = {"loaded": len(images.pixels), "failed": len(images.failures), "commit": commit}
    log_batch(ledger, Stage.LOADING, batch, started, attempt=attempt, **outcome)
    return commit


def give_up(workplace: Workplace, ledger: Ledger, batch: int) -> Commit:
    """Commit a hopeless batch: each image to be loaded is a failure that says why."""
    detail = describe_hopeless(ledger, Stage.LOADING, batch)
    raised = ledger.last_error(Stage.LOADING, batch)
    reason = FailureReason.DAMAGED if raised else FailureReason.KILLED_DECODER
    try:
        part = Remainder.find(workplace.results(ledger.job_id), batch)
        failures = [FailedImage(position, reason, detail) for position in range(len(part.paths))]
        nothing = Images(no_images(ledger.request), failures)
        features, widths = extract_features(workplace, ledger, nothing.pixels, lambda: None)
        commit = commit_features(workplace, ledger, part, nothing, features, widths)
    except (zlib.error, NotFinishedError, LookupError, ValueError, UsageError):
        # Nothing can name these images any more, the request is of another version, or this
        # worker lacks what the job asks for.
        return fail_hopeless(workplace, ledger, Stage.LOADING, detail)
    logger.error(detail, extra={"job": ledger.job_id, "stage": Stage.LOADING})
    return commit


def read_images(
    workplace: Workplace,
    request: JobRequest,
    paths: list[str],
    attempt: int,
    heartbeat: BatchHeartbeat,
) -> Images:
    """Load ``paths``; end the process if an image hangs."""
    settings = workplace.settings
    # Twice what the batch keeps: its images, square and RGB, and all of them in one array.
    kept_bytes = 2 * len(paths) * request.image_size**2 * 3
    memory = limit_memory(settings.image_memory + kept_bytes)
    with Watchdog(settings.image_seconds) as watchdog, memory:

        def check() -> None:
            heartbeat.check()
            watchdog.watch()

        with choose_loader(workplace, request, attempt, check) as load:
            images, failures = load_images(request.source, paths, load, check)
    return Images(np.stack(images) if images else no_images(request), failures)


def no_images(request: JobRequest) -> NDArray[np.uint8]:
    """Return the pixels of no image, of the job's size."""
    return np.empty((0, request.image_size, request.image_size, 3), np.uint8)


@contextmanager
def choose_loader(
    workplace: Workplace, request: JobRequest, attempt: int, check: Callable[[], None]
) -> Iterator[Load]:
    """Yield what loads an image: here, or in a sub-process once the batch has cost processes."""
    if attempt <= LOST_PROCESSES:
        yield partial(load_image, image_size=request.image_size, limits=workplace.limits)
        return
    settings = workplace.settings
    isolated = IsolatedLoader(
        request.image_size,
        workplace.limits,
        settings.image_seconds,
        settings.image_memory,
        on_wait=check,
    )
    with isolated:
        yield isolated.load


def load_images(
    source: str, paths: list[str], load: Load, check: Callable[[], None]
) -> tuple[list[NDArray[np.uint8]], list[FailedImage]]:
    """Load images, so that those which cannot be used cost only themselves."""
    images: list[NDArray[np.uint8]] = []
    failures: list[FailedImage] = []
    # Joined as text: with pathlib it takes 5 µs an image.
    for position, path in enumerate(paths):
        check()
        try:
            images.append(load(f"{source}/{path}"))
        except UnreadableImageError as error:
            failures.append(FailedImage(position, error.reason, error.detail))
    return images, failures


def extract_features(
    workplace: Workplace, ledger: Ledger, images: NDArray[np.uint8], check: Callable[[], None]
) -> tuple[Features, tuple[int, ...]]:
    """Return the features of ``images``, and the columns of each extractor.

    Raises:
        UsageError: This worker does not have what the job asks for.
    """
    model = workplace.settings.embedding_model
    extractors = find_extractors(ledger.request.features, model)
    for extractor in extractors:
        check_same(ledger, extractor)
    parts = []
    for start in range(0, max(len(images), 1), CHUNK):
        check()
        part, widths = extract_blocks(extractors, images[start : start + CHUNK])
        parts.append(part)
    return np.concatenate(parts), widths


def check_same(ledger: Ledger, extractor: Extractor) -> None:
    """Check that this worker's extractor is that of the job's other workers.

    Raises:
        UsageError: Theirs has another digest.
    """
    if extractor.digest and ledger.agree(extractor.name, extractor.digest) != extractor.digest:
        raise UsageError(
            f"The workers' models for {extractor.name} differ: set SHOAL_EMBEDDING_MODEL to the"
            f" same file on all of them, then `shoal retry {ledger.job_id}` or submit anew"
        )
