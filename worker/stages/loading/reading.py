"""Reading the images of a batch: decoded and resized, each within its limits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import UnreadableImageError
from shoal.shared.images.files import digest_content, read_file
from shoal.shared.jobs import JobRequest
from shoal.shared.store import Ledger
from shoal.shared.store.rows import FailedImage
from shoal.worker import Checkpoint
from shoal.worker.images.isolation import IsolatedLoader
from shoal.worker.images.loading import load_with_digest
from shoal.worker.memory import limit_memory
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import BatchHeartbeat
from shoal.worker.runtime.watchdog import Watchdog
from shoal.worker.stages.loading.ranges import find_ranges

# Processes that a batch may kill before its images are decoded in a subprocess.
LOST_PROCESSES = 2

# From a path: the pixels of an image, and the digest of its file.
Load = Callable[[str], tuple[NDArray[np.uint8], int]]


@dataclass(frozen=True)
class LoadedImages:
    """The images of a batch that could be loaded, and the failures.

    Attributes:
        pixels: Shape (n_loaded, image_size, image_size, 3).
        digests: Of their files, shape (n_loaded,).
        failures: The others.
    """

    pixels: NDArray[np.uint8]
    digests: NDArray[np.uint64]
    failures: list[FailedImage]


def read_images(
    context: WorkerContext,
    ledger: Ledger,
    paths: list[str],
    attempt: int,
    heartbeat: BatchHeartbeat,
) -> LoadedImages:
    """Load ``paths``; the process is killed if an image hangs."""
    settings, request = context.settings, ledger.request
    # In addition to the decoded images that the batch keeps.
    kept_bytes = len(paths) * request.image_size**2 * 3
    memory = limit_memory(settings.image_memory + kept_bytes)
    with Watchdog(settings.image_seconds) as watchdog, memory:

        def checkpoint() -> None:
            heartbeat.checkpoint()
            watchdog.watch()

        with _choose_loader(context, ledger, attempt, checkpoint) as load:
            return load_images(request, paths, load, checkpoint)


@contextmanager
def _choose_loader(
    context: WorkerContext, ledger: Ledger, attempt: int, checkpoint: Checkpoint
) -> Iterator[Load]:
    """Yield what loads an image: here, or in a subprocess once the batch has killed processes."""
    image_size = ledger.request.image_size
    ranges = cache(lambda: find_ranges(context, ledger, checkpoint))
    limits = replace(context.limits, find_ranges=ranges)
    if attempt <= LOST_PROCESSES:
        yield partial(load_with_digest, image_size=image_size, limits=limits)
        return
    settings = context.settings
    isolated = IsolatedLoader(
        image_size,
        limits,
        settings.image_seconds,
        settings.image_memory,
        checkpoint=checkpoint,
    )
    with isolated:
        yield lambda path: (
            isolated.load(path),
            digest_content(read_file(path, context.limits)),
        )


def load_images(
    request: JobRequest, paths: list[str], load: Load, checkpoint: Checkpoint
) -> LoadedImages:
    """Load images, each with its digest; those that cannot be used become failures."""
    pixels, digests = make_room(request, len(paths))
    loaded, failures = 0, list[FailedImage]()
    # Joined as text: with pathlib it takes 5 µs an image.
    for position, path in enumerate(paths):
        checkpoint()
        try:
            pixels[loaded], digests[loaded] = load(f"{request.source}/{path}")
        except UnreadableImageError as error:
            failures.append(FailedImage(position, error.reason, error.detail))
        else:
            loaded += 1
    return LoadedImages(pixels[:loaded], digests[:loaded], failures)


def make_room(request: JobRequest, n_images: int) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Make arrays for the pixels and the digests of ``n_images``, not filled yet."""
    shape = (n_images, request.image_size, request.image_size, 3)
    return np.empty(shape, np.uint8), np.empty(n_images, np.uint64)
