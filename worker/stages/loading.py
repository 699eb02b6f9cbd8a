"""Loading: decode, resize and flatten the images of one batch."""

import logging
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shared.errors import NotFinishedError, UnreadableImageError
from shared.jobs import FailureReason, JobRequest, Stage
from shared.store import Commit, Ledger
from shared.store.results import FailedImage, Shape
from worker.features import FeatureStatistics, extract
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
from worker.stages.remainder import Remainder
from worker.workplace import Workplace

logger = logging.getLogger(__name__)

# Processes that a batch may cost before its images are decoded in a sub-process.
LOST_PROCESSES = 2

NO_IMAGES = np.empty((0, 1, 1, 3), np.uint8)

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
            images, failures = read_images(
                workplace, ledger.request, part.paths, attempt, heartbeat
            )
            commit = commit_features(workplace, ledger, part, images, failures)
    except WorkLostError:
        logger.info(NOT_WANTED, extra={"job": job_id, "stage": Stage.LOADING, "batch": batch})
        return Commit.STALE
    outcome = {"loaded": len(images), "failed": len(failures), "commit": commit}
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
        commit = commit_features(workplace, ledger, part, NO_IMAGES, failures)
    except (zlib.error, NotFinishedError, LookupError, ValueError):
        # Nothing can name these images any more, or the request is of another version.
        return fail_hopeless(workplace, ledger, Stage.LOADING, detail)
    logger.error(detail, extra={"job": ledger.job_id, "stage": Stage.LOADING})
    return commit


def read_images(
    workplace: Workplace,
    request: JobRequest,
    paths: list[str],
    attempt: int,
    heartbeat: BatchHeartbeat,
) -> tuple[NDArray[np.uint8], list[FailedImage]]:
    """Return what ``load_images`` does of ``paths``; end the process if an image hangs."""
    settings = workplace.settings
    # Twice what the batch keeps: its images, square and RGB, and all of them in one array.
    kept_bytes = 2 * len(paths) * request.image_size**2 * 3
    memory = limit_memory(settings.image_memory + kept_bytes)
    with Watchdog(settings.image_seconds) as watchdog, memory:

        def check() -> None:
            heartbeat.check()
            watchdog.watch()

        with choose_loader(workplace, request, attempt, check) as load:
            return load_images(request.source, paths, load, check)


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
) -> tuple[NDArray[np.uint8], list[FailedImage]]:
    """Load images, so that those which cannot be used cost only themselves.

    Returns:
        Pixels of shape (n_loaded, image_size, image_size, 3), and the failures.
    """
    images: list[NDArray[np.uint8]] = []
    failures: list[FailedImage] = []
    # Joined as text: with pathlib it takes 5 µs an image.
    for position, path in enumerate(paths):
        check()
        try:
            images.append(load(f"{source}/{path}"))
        except UnreadableImageError as error:
            failures.append(FailedImage(position, error.reason, error.detail))
    return (np.stack(images) if images else NO_IMAGES), failures


def commit_features(
    workplace: Workplace,
    ledger: Ledger,
    part: Remainder,
    images: NDArray[np.uint8],
    failures: list[FailedImage],
) -> Commit:
    """Extract the features of ``images`` and commit them, with those loaded before."""
    features, failures = part.merge(extract(ledger.request.features, images), failures)
    shape = Shape(len(features), features.shape[1], features.dtype.str)
    statistics = FeatureStatistics.of(features).to_bytes()
    notes = workplace.results(ledger.job_id).loading_notes(shape, failures, statistics)
    counts = (len(features), len(failures))
    return ledger.commit_loading(part.batch, features.tobytes(), counts, notes)
