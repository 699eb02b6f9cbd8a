"""Loading: decode, resize and flatten the images of one batch."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shared.errors import UnreadableImageError
from shared.jobs import JobRequest, Stage
from shared.store import Commit, Ledger
from shared.store.results import FailedImage, Shape
from worker.features import FeatureStatistics, extract
from worker.heartbeat import BatchHeartbeat, WorkLostError
from worker.images import load_image
from worker.isolation import IsolatedLoader
from worker.workplace import Workplace

logger = logging.getLogger(__name__)

# Processes that a batch may cost before its images are decoded in a sub-process.
LOST_PROCESSES = 2
# Address space of that sub-process.
ISOLATED_BYTES = 4 * 2**30

Load = Callable[[str], NDArray[np.uint8]]


def load_batch(workplace: Workplace, job_id: str, batch: int, redelivered: bool) -> Commit:
    """Load one batch and commit its features and failures."""
    ledger = workplace.ledger(job_id)
    attempt = ledger.start_batch(Stage.LOADING, batch, redelivered)
    if attempt is None:
        return Commit.STALE
    started = time.monotonic()
    heartbeat = BatchHeartbeat(ledger, Stage.LOADING, batch, workplace.settings.image_seconds)
    request = ledger.request
    try:
        with heartbeat, choose_loader(workplace, request, attempt, heartbeat.beat) as load:
            paths = workplace.results(job_id).paths(batch)
            images, failures = load_images(request.source, paths, load, heartbeat.beat)
    except WorkLostError as lost:
        logger.info("%s", lost)
        return Commit.STALE
    commit = commit_features(workplace, ledger, batch, images, failures)
    logger.info(
        "job=%s stage=loading batch=%d attempt=%d loaded=%d failed=%d seconds=%.2f commit=%s",
        *(job_id, batch, attempt, len(images), len(failures), time.monotonic() - started, commit),
    )
    return commit


@contextmanager
def choose_loader(
    workplace: Workplace, request: JobRequest, attempt: int, beat: Callable[[], None]
) -> Iterator[Load]:
    """Yield what loads an image: here, or in a sub-process once the batch has cost processes."""
    if attempt <= LOST_PROCESSES:
        yield partial(load_image, image_size=request.image_size, limits=workplace.limits)
        return
    seconds = workplace.settings.image_seconds
    isolated = IsolatedLoader(
        request.image_size, workplace.limits, seconds / 2, ISOLATED_BYTES, on_wait=beat
    )
    with isolated:
        yield isolated.load


def load_images(
    source: str, paths: list[str], load: Load, beat: Callable[[], None]
) -> tuple[NDArray[np.uint8], list[FailedImage]]:
    """Load images, so that those which cannot be used cost only themselves.

    Returns:
        Pixels of shape (n_loaded, image_size, image_size, 3), and the failures.
    """
    images: list[NDArray[np.uint8]] = []
    failures: list[FailedImage] = []
    # No pathlib: joining with it takes 30 µs, a twentieth of a photograph.
    for position, path in enumerate(paths):
        beat()
        try:
            images.append(load(f"{source}/{path}"))
        except UnreadableImageError as error:
            failures.append(FailedImage(position, error.reason, error.detail))
    return (np.stack(images) if images else np.empty((0, 1, 1, 3), np.uint8)), failures


def commit_features(
    workplace: Workplace,
    ledger: Ledger,
    batch: int,
    images: NDArray[np.uint8],
    failures: list[FailedImage],
) -> Commit:
    """Extract the features of ``images`` and commit them."""
    request = ledger.request
    features = extract(request.features, images)
    shape = Shape(len(features), features.shape[1], features.dtype.str)
    statistics = FeatureStatistics.of(features).to_bytes()
    notes = workplace.results(ledger.job_id).loading_notes(shape, failures, statistics)
    counts = (len(images), len(failures))
    return ledger.commit_loading(batch, features.tobytes(), counts, notes)
