"""Splitting a job's images into batches."""

import os
from itertools import islice
from math import ceil
from statistics import fmean

from shoal.producer.submission.folder import Folder
from shoal.shared.errors import UsageError
from shoal.shared.jobs import JobRequest
from shoal.shared.recipe.features import (
    are_slow,
    count_features,
    feature_bytes,
)

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
# From 512 images on, the overhead of a batch is 1 %.
COMMON_BATCH_SIZE = 512
# Factoring (Hummel, Schonberg and Flynn 1992): with the last batch in pieces, workers end at about
# the same time. More pieces cost as much as they gain.
TAIL = (2, 4, 8, 8, 16)
LEAST_PIECE = 16  # images
# A job with more batches than this gets larger ones: each message takes a kilobyte in Redis.
MOST_COMMON_BATCHES = 2048
# Files whose size is read: a network file system takes a millisecond for each.
SAMPLES = 64


def measure_image_bytes(folder: Folder) -> float:
    """Measure the mean size in bytes of 64 of a folder's files; 0 if none can be read."""
    paths = folder.paths[:: ceil(len(folder.paths) / SAMPLES)]
    sizes = [size for path in paths if (size := file_bytes(f"{folder.source}/{path}"))]
    return fmean(sizes) if sizes else 0.0


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
    n_features = count_features(request.features, request.image_size)
    # The decoded images of a batch are in memory together, too.
    most = max(1, MAX_BATCH_BYTES // max(_row_bytes(request), request.image_size**2 * 3))
    if request.batch_size and request.batch_size > most:
        raise UsageError(
            f"`batch_size={request.batch_size}` of {n_features} features is too much for"
            f" one message: use {most} or less."
        )
    batches = FEWEST_SLOW_BATCHES if are_slow(request.features) else FEWEST_BATCHES
    return request.batch_size or min(batch_size_for(n_images, image_bytes, batches), most)


def _row_bytes(request: JobRequest) -> int:
    return count_features(request.features, request.image_size) * feature_bytes(request.features)


def batch_size_for(n_images: int, image_bytes: float = 0.0, batches: int = FEWEST_BATCHES) -> int:
    """Choose the number of images per batch.

    It depends on the images only, never on the workers: a job must not depend on the machines
    that work on it. Small jobs spread over all workers, large ones stay at thousands of messages.

    Args:
        n_images: Number of the job's images.
        image_bytes: Mean size of their files: large ones take long.
        batches: Least number of batches of a small job.
    """
    of_bytes = int(BATCH_BYTES // max(image_bytes, 1))
    small = min(ceil(n_images / batches), of_bytes, COMMON_BATCH_SIZE)
    huge = min(ceil(n_images / MOST_COMMON_BATCHES), MAX_BATCH_SIZE)
    return max(small, huge, MIN_BATCH_SIZE)


def split_batches(paths: list[str], batch_size: int, *, tapered: bool = False) -> list[list[str]]:
    """Split ``paths`` into batches of ``batch_size``; the last one may be smaller.

    If ``tapered``, all batches have one size, up to ``batch_size``, except that large ones become
    smaller towards the end of the job.
    """
    tail = _choose_tail(len(paths), batch_size) if tapered else []
    n_before, size = len(paths) - sum(tail), batch_size
    if tapered and n_before:
        size = ceil(n_before / ceil(n_before / batch_size))
    n_full, rest = divmod(n_before, size)
    left = iter(paths)
    return [list(islice(left, n)) for n in (*[size] * n_full, rest, *tail) if n]


def _choose_tail(n_images: int, batch_size: int) -> list[int]:
    """Choose the sizes of the last batches; none where they would be too small to be worth it."""
    tail = [size for share in TAIL if (size := batch_size // share) >= LEAST_PIECE]
    return tail if n_images > 2 * sum(tail) else []
