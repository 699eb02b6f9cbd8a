"""Read the images of a batch: decoded and resized, each within its limits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import UnreadableImageError
from shoal.shared.images.files import digest_content, read_file
from shoal.shared.jobs import JobRequest
from shoal.shared.store.rows import FailedImage
from shoal.worker.images.isolation import IsolatedLoader
from shoal.worker.images.loading import load_with_digest
from shoal.worker.memory import limit_memory
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import BatchHeartbeat
from shoal.worker.runtime.watchdog import Watchdog

# Processes that a batch may cost before its images are decoded in a sub-process.
LOST_PROCESSES = 2

# Pixels of an image, and the digest of its file.
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
    request: JobRequest,
    paths: list[str],
    attempt: int,
    heartbeat: BatchHeartbeat,
) -> LoadedImages:
    """Load ``paths``; end the process if an image hangs."""
    settings = context.settings
    # Beside what the batch keeps: its images, square and RGB.
    kept_bytes = len(paths) * request.image_size**2 * 3
    memory = limit_memory(settings.image_memory + kept_bytes)
    with Watchdog(settings.image_seconds) as watchdog, memory:

        def check() -> None:
            heartbeat.check()
            watchdog.watch()

        with _choose_loader(context, request, attempt, check) as load:
            return load_images(request, paths, load, check)


@contextmanager
def _choose_loader(
    context: WorkerContext, request: JobRequest, attempt: int, check: Callable[[], None]
) -> Iterator[Load]:
    """Yield what loads an image: here, or in a sub-process once the batch has cost processes."""
    if attempt <= LOST_PROCESSES:
        yield partial(load_with_digest, image_size=request.image_size, limits=context.limits)
        return
    settings = context.settings
    isolated = IsolatedLoader(
        request.image_size,
        context.limits,
        settings.image_seconds,
        settings.image_memory,
        on_wait=check,
    )
    with isolated:
        yield lambda path: (
            isolated.load(path),
            digest_content(read_file(path, context.limits)),
        )


def load_images(
    request: JobRequest, paths: list[str], load: Load, check: Callable[[], None]
) -> LoadedImages:
    """Load images, each with its digest; those that cannot be used cost only themselves."""
    pixels, digests = make_room(request, len(paths))
    loaded, failures = 0, list[FailedImage]()
    # Joined as text: with pathlib it takes 5 µs an image.
    for position, path in enumerate(paths):
        check()
        try:
            pixels[loaded], digests[loaded] = load(f"{request.source}/{path}")
        except UnreadableImageError as error:
            failures.append(FailedImage(position, error.reason, error.detail))
        else:
            loaded += 1
    return LoadedImages(pixels[:loaded], digests[:loaded], failures)


def make_room(request: JobRequest, n_images: int) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Return arrays that hold the pixels and the digests of ``n_images``, not filled yet."""
    shape = (n_images, request.image_size, request.image_size, 3)
    return np.empty(shape, np.uint8), np.empty(n_images, np.uint64)
