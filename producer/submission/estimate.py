"""The memory and the disk that a job will take, before it is submitted."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

from shoal.shared.encoding import pack_paths
from shoal.shared.images.thumbnails import estimate_sheet_bytes
from shoal.shared.jobs import JobRequest
from shoal.shared.recipe.features import count_features, feature_bytes
from shoal.shared.recipe.fit import FitSize, plan_fit
from shoal.shared.sources.locations import Location, pack_locations
from shoal.shared.store.rows import HASH_ROW, LABEL_ROW
from shoal.shared.store.shards import Kind

# A process with scikit-learn and its blocks of scaled rows.
FIT_PROCESS_BYTES = 220 * 2**20
# In Redis, for each batch: two messages, its keys and its entries in sets and hashes.
BATCH_OVERHEAD_BYTES = 3000
# In Redis, for each job: plots and pictures, for the most part (1.5 to 4 MB).
JOB_OVERHEAD_BYTES = 4_200_000
# What is written exists three times for a moment: received or in a script, on its way to the
# append-only file, and stored.
COPIES = 2
# What a file may take on a disk beyond its own bytes.
BLOCK_BYTES = 4096
# Batches whose manifests are packed to measure how well paths compress.
PACKED_MANIFESTS = 8

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Estimate:
    """What a job needs at its peak, in bytes.

    Attributes:
        redis_bytes: In Redis.
        fit_bytes: In the memory of the process that fits.
        shards_bytes: In shards outside Redis.
    """

    redis_bytes: int
    fit_bytes: int
    shards_bytes: int = 0


def estimate_memory(
    request: JobRequest,
    batches: Sequence[Sequence[str]],
    fit_memory: int,
    memory: Mapping[str, int | str],
    *,
    shards_in_redis: bool = True,
) -> Estimate:
    """Estimate the memory that a job will need.

    Args:
        request: What is asked for.
        batches: Paths of each batch.
        fit_memory: As the setting.
        memory: What the server tells about its memory; its allocator decides about rounding.
        shards_in_redis: Whether shards are kept there, too.
    """
    rounds = str(memory.get("mem_allocator", "jemalloc")).startswith("jemalloc")
    n_images = sum(map(len, batches))
    n_features = count_features(request.features, request.image_size)
    fit = estimate_fit(request, n_images, fit_memory)
    sizes = Counter(map(len, batches))

    def add_up(values_of: Callable[[int], list[int]]) -> int:
        return sum(
            count * sum(allocated(value, rounds) for value in values_of(size))
            for size, count in sizes.items()
        )

    sheets = allocated(estimate_sheet_bytes(n_images) // len(batches), rounds) * len(batches)
    shards = sheets + add_up(lambda size: _batch_shards(request, size, fit.n_components))
    largest = _batch_shards(request, max(sizes), fit.n_components)[0] if shards_in_redis else 0
    model = allocated((4 * fit.n_components + 16) * n_features, rounds)
    # That of another job is copied, and stays for a retry.
    n_models = 2 if request.takes_model or request.coordinates_of else 1
    redis_bytes = (
        add_up(_batch_values)
        + (shards if shards_in_redis else 0)
        + len(batches) * BATCH_OVERHEAD_BYTES
        + _manifest_bytes(batches)
        + COPIES * max(largest, JOB_OVERHEAD_BYTES)
        + n_models * model
        + JOB_OVERHEAD_BYTES
    )
    elsewhere = 0 if shards_in_redis else shards + len(batches) * len(Kind) * BLOCK_BYTES
    return Estimate(redis_bytes, _fit_bytes(request, fit), elsewhere)


def estimate_fit(request: JobRequest, n_images: int, fit_memory: int) -> FitSize:
    """Return the size of the fit if all images can be loaded."""
    n_features = count_features(request.features, request.image_size)
    return plan_fit(request, n_images, n_features, feature_bytes(request.features), fit_memory)


def _batch_values(n_images: int) -> list[int]:
    """Return the bytes of the hashes and labels of a batch."""
    return [n_images * HASH_ROW.size, n_images * LABEL_ROW.size]


def _batch_shards(request: JobRequest, n_images: int, n_components: int) -> list[int]:
    """Return the bytes of the features and coordinates of a batch; statistics are of the former."""
    coordinates = n_images * n_components * 4
    if request.coordinates_of:  # they stand in for the features
        return [coordinates, coordinates]
    n_features = count_features(request.features, request.image_size)
    itemsize = feature_bytes(request.features)
    # The sums of bytes are uint32, those of others float64.
    statistics = (1 + 2 * n_features) * (4 if itemsize == 1 else 8)
    return [n_images * n_features * itemsize + statistics, coordinates]


def allocated(n_bytes: int, rounds: bool) -> int:
    """Return the bytes that a value takes; jemalloc has four sizes per power of two."""
    needed = n_bytes + 16
    if not rounds:
        return needed
    step: int = 2 ** max(needed.bit_length() - 3, 4)
    return ceil(needed / step) * step


def _manifest_bytes(batches: Sequence[Sequence[str]]) -> int:
    return _packed_bytes(batches, pack_paths)


def estimate_locations(locations: Sequence[Sequence[Location]]) -> int:
    """Return the bytes in Redis of the locations of all batches."""
    return _packed_bytes(locations, pack_locations)


def _packed_bytes(batches: Sequence[Batch], pack: Callable[[Batch], bytes]) -> int:
    """Estimate the bytes of all batches, once packed, from a sample of the batches."""
    sample = batches[:: ceil(len(batches) / PACKED_MANIFESTS)]
    packed = sum(len(pack(batch)) for batch in sample)
    return ceil(packed / len(sample) * len(batches))


def _fit_bytes(request: JobRequest, fit: FitSize) -> int:
    """Return the bytes of the process that fits: its rows, and what it holds in addition."""
    if request.coordinates_of:  # in float32, float64, and rounded
        return fit.n_rows * 20 * fit.n_components + FIT_PROCESS_BYTES
    n_features = count_features(request.features, request.image_size)
    row_bytes = n_features * feature_bytes(request.features)
    # Projected in float32 and float64, and turned.
    projected_bytes = 12 * fit.n_axes + 8 * fit.n_components
    work = 6 * 4 * fit.n_axes * n_features
    return fit.n_rows * (row_bytes + projected_bytes) + work + FIT_PROCESS_BYTES
