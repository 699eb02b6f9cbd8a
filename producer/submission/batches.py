"""The batches of a job: how many images each has, and which."""

import os
from itertools import islice
from math import ceil
from statistics import fmean

from shoal.producer.submission.folder import Folder

MIN_BATCH_SIZE = 32
MAX_BATCH_SIZE = 1024
# Of a small job, at least. Fewer batches cost less beside their images (with 8 instead of 16,
# 4,000 photographs loaded 3 % faster); more let more processes take part.
BATCHES = 8
BATCHES_OF_SLOW_FEATURES = 16
# Files of a batch in all, for the time that they take to decode: 0.2 s for small photographs,
# some for the fewest of a camera's.
BATCH_BYTES = 2**24
# From 512 images on, the cost beside them is 1 %.
COMMON_BATCH_SIZE = 512
# Factoring (Hummel, Schonberg and Flynn 1992): with the last batch in pieces, workers end at about
# the same time. More pieces cost as much as they gain.
TAIL = (2, 4, 8, 8, 16)
LEAST_PIECE = 16  # images
# Of a huge job: each message is a kilobyte in Redis.
MOST_COMMON_BATCHES = 2048
# Files whose size is looked at: a network file system takes a millisecond for each.
SAMPLES = 64


def measure_image_bytes(folder: Folder) -> float:
    """Return the mean size of some of a folder's files, spread evenly; 0 if none can be seen."""
    paths = folder.paths[:: ceil(len(folder.paths) / SAMPLES)]
    sizes = [size for path in paths if (size := file_bytes(f"{folder.source}/{path}"))]
    return fmean(sizes) if sizes else 0.0


def file_bytes(path: str) -> int:
    """Return the size of a file, 0 if it cannot be seen."""
    try:
        return os.stat(path).st_size  # noqa: PTH116  as in the walk
    except (OSError, ValueError):
        return 0


def batch_size_for(n_images: int, image_bytes: float = 0.0, batches: int = BATCHES) -> int:
    """Return the images a batch should have.

    By the images only, never by the workers: a job must not depend on the machines that work on
    it. Small jobs spread over all workers, large ones stay at thousands of messages.

    Args:
        n_images: Images of the job.
        image_bytes: Size of their files, on average: large ones take long.
        batches: Of a small job, at least.
    """
    of_bytes = int(BATCH_BYTES // max(image_bytes, 1))
    small = min(ceil(n_images / batches), of_bytes, COMMON_BATCH_SIZE)
    huge = min(ceil(n_images / MOST_COMMON_BATCHES), MAX_BATCH_SIZE)
    return max(small, huge, MIN_BATCH_SIZE)


def split_batches(paths: list[str], batch_size: int, *, tapered: bool = False) -> list[list[str]]:
    """Return ``paths`` in batches of ``batch_size``, the last of which may be smaller.

    If ``tapered``, they are of one size up to it, and large ones become smaller towards the end.
    """
    tail = _choose_tail(len(paths), batch_size) if tapered else []
    n_before, size = len(paths) - sum(tail), batch_size
    if tapered and n_before:
        size = ceil(n_before / ceil(n_before / batch_size))
    n_full, rest = divmod(n_before, size)
    left = iter(paths)
    return [list(islice(left, n)) for n in (*[size] * n_full, rest, *tail) if n]


def _choose_tail(n_images: int, batch_size: int) -> list[int]:
    """Return the sizes of the last batches; none where they would be too small to pay."""
    tail = [size for share in TAIL if (size := batch_size // share) >= LEAST_PIECE]
    return tail if n_images > 2 * sum(tail) else []
