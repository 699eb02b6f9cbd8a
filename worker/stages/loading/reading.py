"""Reading the images of a batch: decoded and resized, each within its limits."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import UnreadableImageError
from shoal.shared.images.files import ImageLimits, ReadFile, StrPath, digest_content, read_file
from shoal.shared.images.thumbnails import SQUARE
from shoal.shared.jobs import JobRequest
from shoal.shared.sources.paths import join
from shoal.shared.store import Ledger
from shoal.shared.store.rows import FailedImage
from shoal.worker import Checkpoint
from shoal.worker.images.isolation import IsolatedLoader
from shoal.worker.images.loading import load_with_digest
from shoal.worker.images.pixels import SquareImage
from shoal.worker.memory import limit_memory
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import BatchHeartbeat
from shoal.worker.runtime.watchdog import Watchdog
from shoal.worker.stages.cache import Recall
from shoal.worker.stages.loading.ranges import find_ranges
from shoal.worker.stages.loading.rows import Remainder

if TYPE_CHECKING:
    from shoal.worker.stages.loading.fetching import LocatedImages

# Processes that a batch may kill before its images are decoded in a subprocess.
LOST_PROCESSES = 2

# From a path, or what was read there: an image, and the digest of its file; None if what is asked
# about its content says that it is known.
Load = Callable[[StrPath, Callable[[bytes], bool]], tuple[SquareImage, int] | None]


@dataclass(frozen=True)
class LoadedImages:
    """The images of a batch that were loaded, what is known of others, and the failures.

    Attributes:
        pixels: Shape (n_loaded, image_size, image_size, 3).
        digests: Of their files, shape (n_loaded,).
        ratios: Of their widths to their heights, of ``encode_ratio``, shape (n_loaded,).
        failures: Images that cannot be used, in their order.
        positions: Of the images loaded, in the batch.
        recall: What the cache knows of the others.
    """

    pixels: NDArray[np.uint8]
    digests: NDArray[np.uint64]
    ratios: NDArray[np.uint8]
    failures: list[FailedImage]
    positions: list[int] = field(default_factory=list)
    recall: Recall = field(default_factory=Recall)


def read_images(
    context: WorkerContext,
    ledger: Ledger,
    part: Remainder,
    attempt: int,
    heartbeat: BatchHeartbeat,
    recall: Recall,
) -> LoadedImages:
    """Load what is not known of a batch; the process is killed if an image hangs.

    Raises:
        SourceError: This worker cannot read where the images are.
        SourceUnavailableError: Nobody can for now.
    """
    settings, request = context.settings, ledger.request
    located, ahead_bytes = _locate(context, request, part)
    # In addition to the decoded images that the batch keeps.
    kept_bytes = len(part.paths) * request.image_size**2 * 3
    memory = limit_memory(settings.image_memory + kept_bytes + ahead_bytes)
    with Watchdog(settings.image_seconds) as watchdog, memory:

        def checkpoint() -> None:
            heartbeat.checkpoint()
            watchdog.watch()

        ranges = cache(lambda: find_ranges(context, ledger, checkpoint))
        limits = recall.limit(replace(context.limits, find_ranges=ranges))
        with _choose_loader(context, request.image_size, limits, attempt, checkpoint) as load:
            return load_images(request, part.paths, load, checkpoint, recall, *located)


def _locate(
    context: WorkerContext, request: JobRequest, part: Remainder
) -> tuple[tuple["LocatedImages", ...], int]:
    """Return what fetches images that are in no folder here, if there are any, and its bytes."""
    if part.locations is None:
        return (), 0
    from shoal.worker.stages.loading.fetching import READ_AHEAD_BYTES, LocatedImages

    located = LocatedImages(request.source, part.paths, part.locations, context.settings)
    # What is read by obstore is copied once.
    return (located,), 2 * READ_AHEAD_BYTES


@contextmanager
def _choose_loader(
    context: WorkerContext,
    image_size: int,
    limits: ImageLimits,
    attempt: int,
    checkpoint: Checkpoint,
) -> Iterator[Load]:
    """Yield what loads an image: here, or in a subprocess once the batch has killed processes."""
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

    def load(path: StrPath, is_known: Callable[[bytes], bool]) -> tuple[SquareImage, int] | None:
        content = read_file(path, limits)
        if is_known(content):
            return None
        # As it was read: what is decoded, what is digested and what is known are one content.
        return isolated.load(ReadFile(os.fspath(path), content)), digest_content(content)

    with isolated:
        yield load


def load_images(
    request: JobRequest,
    paths: list[str],
    load: Load,
    checkpoint: Checkpoint,
    recall: Recall | None = None,
    located: "LocatedImages | None" = None,
) -> LoadedImages:
    """Load images, each with its digest; those that cannot be used become failures.

    Args:
        request: Of the job.
        paths: Relative to its source.
        load: What loads an image of a path, or of what was read there.
        checkpoint: Called before each image.
        recall: What the cache knows of them.
        located: What fetches them; None if they are files in a folder.
    """
    # Joined as text: with pathlib it takes 5 µs an image.
    whole = [join(request.source, path) for path in paths]
    recall = recall or Recall()
    recall.look_up(whole, located.states() if located else None)
    unknown = [n for n in range(len(paths)) if not recall.is_known(n)]
    pixels, digests, ratios = make_room(request, len(unknown))
    positions, failures = list[int](), list[FailedImage]()
    opened = located.fetch(unknown, checkpoint) if located else map(whole.__getitem__, unknown)
    for position, source in zip(unknown, opened, strict=True):
        checkpoint()
        try:
            image = load(_check_read(source), partial(recall.find, position))
        except UnreadableImageError as error:
            failures.append(FailedImage(position, error.reason, error.detail))
            recall.learn_failure(position, error)
            continue
        if image is not None:
            row = len(positions)
            (pixels[row], ratios[row]), digests[row] = image
            positions.append(position)
            recall.learn(position)
    failures = sorted([*failures, *recall.failures()], key=attrgetter("position"))
    loaded = len(positions)
    rows = pixels[:loaded], digests[:loaded], ratios[:loaded]
    return LoadedImages(*rows, failures, positions, recall)


def _check_read(source: StrPath | UnreadableImageError) -> StrPath:
    """Return the source of an image, unless it could not be read."""
    if isinstance(source, UnreadableImageError):
        raise source
    return source


def make_room(
    request: JobRequest, n_images: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.uint8]]:
    """Make arrays for the pixels, digests and ratios of ``n_images``; all are squares so far."""
    shape = (n_images, request.image_size, request.image_size, 3)
    ratios = np.full(n_images, SQUARE, np.uint8)
    return np.empty(shape, np.uint8), np.empty(n_images, np.uint64), ratios
