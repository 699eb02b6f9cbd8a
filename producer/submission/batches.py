"""Splitting a job's images into batches."""

import os
from collections.abc import Sequence
from math import ceil
from statistics import fmean

from shoal.producer.submission.listing import Listing
from shoal.producer.submission.paths import split_rows
from shoal.shared.errors import UsageError
from shoal.shared.jobs import JobRequest
from shoal.shared.recipe.features import (
    COMMON_BATCH_SIZE,
    are_slow,
    common_batch_size,
    count_features,
    feature_bytes,
)
from shoal.shared.sources.paths import join

# A batch's features travel in one command, which Redis limits to 512 MB.
MAX_BATCH_BYTES = 2**26
MIN_BATCH_SIZE = 32
MAX_BATCH_SIZE = 1024
# Least number of batches of a small job. Fewer cost less overhead (with 8 instead of 16, 4,000
# photographs loaded 3 % faster); more let more processes take part.
FEWEST_BATCHES = 8
FEWEST_SLOW_BATCHES = 16
# Size of a batch's files in all, which sets how long they take to decode: 0.2 s for small
# photographs, some seconds for the smallest batch of a camera's.
BATCH_BYTES = 2**24
# Guided self-scheduling (Polychronopoulos and Kuck 1987): near the end, a batch is the share of one
# process in the images left, so that all end at about the same time. A piece is not smaller than
# this share of a batch, nor than so many images: it would cost as much as it gains.
MOST_PIECES = 16
LEAST_PIECE = 4
# All processes together do not come for pieces faster than 32 processes for the smallest ones:
# those of 128 are a quarter of a batch. Redis and Celery take 4 ms of processor time for each.
PIECES_AT_ONCE = 512
# For how many processes: for 128, that is a tenth more messages. The labels must not depend on the
# workers, so it is the number with which each process has this many batches.
ROUNDS = 16
FEWEST_PROCESSES, MOST_PROCESSES = 2, 128
# A job with more batches than this gets larger ones: each takes 7 ms of processors beside its
# images, 4 % of what 512 small photographs take, and its messages a kilobyte each in Redis.
MOST_COMMON_BATCHES = 1024
# Images of a batch whose coordinates are copied: 400 KB, and milliseconds.
COPIED_BATCH_SIZE = 2048
# Files whose size is read: a network file system takes a millisecond for each.
SAMPLES = 64


def measure_image_bytes(listing: Listing) -> float:
    """Measure the mean size in bytes of 64 of the images; 0 if none of them says it."""
    step = ceil(len(listing.paths) / SAMPLES)
    if listing.locations is None:
        sizes = [file_bytes(join(listing.source, path)) for path in listing.paths[::step]]
    else:
        sizes = [location.size or 0 for location in listing.locations[::step]]
    return fmean(filter(None, sizes)) if any(sizes) else 0.0


def file_bytes(path: str) -> int:
    """Return the size of a file; 0 if it cannot be read."""
    try:
        return os.stat(path).st_size  # noqa: PTH116  as in the walk
    except (OSError, ValueError):
        return 0


def choose_batch_size(request: JobRequest, n_images: int, image_bytes: float) -> int:
    """Choose the images per task: as asked for, or by the images and the features.

    Args:
        request: What is asked for.
        n_images: Images of the job.
        image_bytes: Size of their files, on average.

    Raises:
        UsageError: A batch of that size would not fit into one command to Redis.
    """
    if request.coordinates_of:
        return min(COPIED_BATCH_SIZE, MAX_BATCH_BYTES // (4 * (request.components or 1)))
    n_features = count_features(request.features, request.image_size)
    # The decoded images of a batch are in memory together, too.
    most = max(1, MAX_BATCH_BYTES // max(_row_bytes(request), request.image_size**2 * 3))
    if request.batch_size and request.batch_size > most:
        raise UsageError(
            f"`batch_size={request.batch_size}` of {n_features} features is too much for"
            f" one message: use {most} or less."
        )
    batches = FEWEST_SLOW_BATCHES if are_slow(request.features) else FEWEST_BATCHES
    common = common_batch_size(request.features)
    return request.batch_size or min(batch_size_for(n_images, image_bytes, batches, common), most)


def _row_bytes(request: JobRequest) -> int:
    return count_features(request.features, request.image_size) * feature_bytes(request.features)


def batch_size_for(
    n_images: int,
    image_bytes: float = 0.0,
    batches: int = FEWEST_BATCHES,
    common: int = COMMON_BATCH_SIZE,
) -> int:
    """Choose the number of images per batch.

    It depends on the images only, never on the workers: a job must not depend on the machines
    that work on it. Small jobs spread over all workers, large ones stay at thousands of messages.

    Args:
        n_images: Number of the job's images.
        image_bytes: Mean size of their files: large ones take long.
        batches: Least number of batches of a small job.
        common: Largest batch of a job of fewer than ``MOST_COMMON_BATCHES`` batches.
    """
    of_bytes = int(BATCH_BYTES // max(image_bytes, 1))
    small = min(ceil(n_images / batches), of_bytes, common)
    huge = min(ceil(n_images / MOST_COMMON_BATCHES), MAX_BATCH_SIZE)
    return max(small, huge, MIN_BATCH_SIZE)


def split_batches(
    paths: Sequence[str], batch_size: int, *, tapered: bool = False
) -> list[Sequence[str]]:
    """Split ``paths`` into batches of the sizes that ``choose_sizes`` chooses."""
    return split_rows(paths, choose_sizes(len(paths), batch_size, tapered=tapered))


def choose_sizes(n_images: int, batch_size: int, *, tapered: bool = False) -> list[int]:
    """Choose the number of images of each batch of a job.

    All have ``batch_size``, and the last one the rest; if ``tapered``, they become smaller towards
    the end of the job.
    """
    if not tapered:
        n_full, rest = divmod(n_images, batch_size)
        return [*[batch_size] * n_full, *[rest] * (rest > 0)]
    processes = n_images // batch_size // ROUNDS
    processes = min(max(processes, FEWEST_PROCESSES), MOST_PROCESSES)
    pieces = min(PIECES_AT_ONCE // processes, MOST_PIECES)
    least = min(max(batch_size // pieces, LEAST_PIECE), batch_size)
    n_full = max(0, n_images // batch_size - processes)
    sizes, left = [batch_size] * n_full, n_images - n_full * batch_size
    while left:
        # The last two share what is left.
        share = max(left // processes, least) if left >= 2 * least else ceil(left / 2)
        size = min(share if left > least else left, batch_size)
        sizes.append(size)
        left -= size
    return sizes
