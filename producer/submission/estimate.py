"""The memory that a job will take, before it is submitted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from shoal.shared.images.thumbnails import count_page_bytes
from shoal.shared.jobs import AUTO, JobRequest
from shoal.shared.recipe.features import count_features, feature_bytes
from shoal.shared.store.manifest import pack_paths

# What the worker does: its defaults, and what its fit holds beside the rows.
DEFAULT_COMPONENTS = 50
COORDINATE_BYTES = 16
EXACT_FEATURES = 1000
OVERSAMPLES = 30
# A process with scikit-learn and its blocks of scaled rows.
FIT_PROCESS_BYTES = 220 * 2**20

# In Redis, a batch: two messages' worth, its keys and its entries in sets and hashes.
BATCH_BYTES = 3000
LABEL_BYTES = 16
HASH_BYTES = 16
# Plots and pictures, for the most part: 1.5 to 2.6 MB.
JOB_BYTES = 2_700_000
# What is written is there three times for a moment: received or in a script, on its way to the
# append-only file, and stored.
COPIES = 2
# Batches whose manifests are packed to learn how well their paths can be.
SAMPLES = 8


@dataclass(frozen=True)
class Estimate:
    """Memory that a job needs at its peak, in bytes: in Redis, and in the process that fits."""

    redis_bytes: int
    fit_bytes: int


def estimate_memory(
    request: JobRequest,
    batches: Sequence[Sequence[str]],
    fit_memory: int,
    memory: Mapping[str, int | str],
) -> Estimate:
    """Return the memory that a job will need.

    Args:
        request: What is asked for.
        batches: Paths of each batch.
        fit_memory: As the setting.
        memory: What the server tells of its memory: its allocator decides what is rounded up.
    """
    rounds = str(memory.get("mem_allocator", "jemalloc")).startswith("jemalloc")
    n_images = sum(map(len, batches))
    n_features = count_features(request.features, request.image_size)
    components = min(request.components or DEFAULT_COMPONENTS, n_images, n_features)
    sizes = Counter(map(len, batches))
    stored = sum(
        count * sum(allocated(value, rounds) for value in _batch_values(request, size))
        for size, count in sizes.items()
    )
    model = (4 * components + 16) * n_features
    redis_bytes = (
        stored
        + len(batches) * BATCH_BYTES
        + _manifest_bytes(batches)
        + allocated(count_page_bytes(n_images) // len(batches), rounds) * len(batches)
        + COPIES * max(_batch_values(request, max(sizes))[0], JOB_BYTES)
        + allocated(model, rounds)
        + JOB_BYTES
    )
    return Estimate(redis_bytes, fit_bytes(request, n_images, components, fit_memory))


def _batch_values(request: JobRequest, n_images: int) -> list[int]:
    """Return the bytes of the features, statistics, hashes and labels of a batch."""
    n_features = count_features(request.features, request.image_size)
    features = n_images * n_features * feature_bytes(request.features)
    hashes, labels = n_images * HASH_BYTES, n_images * LABEL_BYTES
    return [features, (1 + 2 * n_features) * 8, hashes, labels]


def allocated(n_bytes: int, rounds: bool) -> int:
    """Return what a value takes; jemalloc has four sizes from each power of 2 to the next."""
    needed = n_bytes + 16
    if not rounds:
        return needed
    step: int = 2 ** max(needed.bit_length() - 3, 4)
    return ceil(needed / step) * step


def _manifest_bytes(batches: Sequence[Sequence[str]]) -> int:
    """Return the bytes of the packed paths of all batches, from a sample of them."""
    sample = batches[:: ceil(len(batches) / SAMPLES)]
    packed = sum(len(pack_paths(batch)) for batch in sample)
    return ceil(packed / len(sample) * len(batches))


def fit_bytes(request: JobRequest, n_images: int, components: int, fit_memory: int) -> int:
    """Return the bytes of the process that fits: its rows, and what it holds beside them."""
    n_features = count_features(request.features, request.image_size)
    feature_row_bytes = n_features * feature_bytes(request.features)
    row_bytes = feature_row_bytes + COORDINATE_BYTES * components
    clusters = 1 if request.clusters == AUTO else request.clusters
    most = max(fit_memory // row_bytes, clusters, components)
    axes = components
    if n_features > EXACT_FEATURES:
        axes = min(components + OVERSAMPLES, n_features)
    # Projected in float32 and float64, and turned.
    beside = 12 * axes + 8 * components
    work = 6 * 4 * axes * n_features
    return min(n_images, most) * (feature_row_bytes + beside) + work + FIT_PROCESS_BYTES
