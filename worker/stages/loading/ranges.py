"""Ranges: which values are black and white in a job's images of more than eight bits.

They are measured in a fixed sample of the job's images, once a worker meets such an image, so that
they depend neither on the order of the batches nor on the number of workers.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from itertools import repeat
from pathlib import PurePath
from typing import TypeVar

from shoal.shared.errors import UnreadableImageError
from shoal.shared.images.files import StrPath
from shoal.shared.images.isolation import IsolatedDecoder, make_order
from shoal.shared.images.values import AGREED_NAME, Range, ValueRanges, make_ranges
from shoal.shared.sources.locations import Location
from shoal.shared.sources.paths import join
from shoal.shared.store import Ledger, Results
from shoal.worker import Checkpoint
from shoal.worker.images.samples import MEASURED
from shoal.worker.runtime.context import WorkerContext

MEASURE = "shoal.worker.images.loading:measure_image"
# So many images of each kind of file are measured, out of so many batches: 64 of 20 megapixels take
# some ten seconds, once in a job of many hours.
SAMPLE_IMAGES = 64
SAMPLE_BATCHES = 64

Item = TypeVar("Item")


def find_ranges(context: WorkerContext, ledger: Ledger, checkpoint: Checkpoint) -> ValueRanges:
    """Find the ranges that the job's workers have agreed on, or measure them.

    Raises:
        WorkLostError: As ``checkpoint`` does.
        ShoalError: The process that measures cannot be started.
    """
    agreed = ledger.agreed(AGREED_NAME)
    if agreed is None:
        sampled = sample_images(context.results(ledger.job_id))
        measured = _measure(context, ledger.request.source, sampled, checkpoint)
        agreed = ledger.agree(AGREED_NAME, measured.to_text())
    return ValueRanges.from_text(agreed)


def sample_images(results: Results) -> list[tuple[str, Location | None]]:
    """Choose images of the job evenly, some of each ending: a few TIFFs among many JPEGs count.

    Returns:
        Path and location of each.
    """
    by_ending = defaultdict[str, list[tuple[str, Location | None]]](list)
    for batch in _spread(range(results.n_batches()), SAMPLE_BATCHES):
        paths = results.paths(batch)
        locations = results.locations(batch) or repeat(None, len(paths))
        for image in zip(paths, locations, strict=True):
            by_ending[PurePath(image[0]).suffix.lower()].append(image)
    return [image for images in by_ending.values() for image in _spread(images, SAMPLE_IMAGES)]


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    """Take at most ``most`` items, evenly."""
    n_taken = min(len(items), most)
    return [items[number * len(items) // n_taken] for number in range(n_taken)]


def _measure(
    context: WorkerContext,
    source: str,
    images: Sequence[tuple[str, Location | None]],
    checkpoint: Checkpoint,
) -> ValueRanges:
    integers, floats = list[Range](), list[Range]()
    # In a process of its own: an image that ends it must not end each worker that measures.
    with IsolatedDecoder(make_order(context.settings, MEASURE), checkpoint) as decoder:
        for path, location in images:
            checkpoint()
            with suppress(UnreadableImageError):
                if measured := decoder.decode(_read(context, source, path, location)):
                    is_float, low, high = MEASURED.unpack(measured)
                    (floats if is_float else integers).append((low, high))
    return make_ranges(integers, floats)


def _read(context: WorkerContext, source: str, path: str, location: Location | None) -> StrPath:
    if location is None:
        return join(source, path)
    from shoal.shared.sources.reading import read_image  # of no use to a job of a folder

    return read_image(source, path, location, context.settings)
