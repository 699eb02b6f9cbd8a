"""The sizes of a job's batches, which may all differ."""

from collections.abc import Iterator

from shoal.shared.store.results import BATCHES_PER_TRIP, Results
from shoal.shared.store.rows import FailedImage
from shoal.shared.wire import decode


def batch_sizes(results: Results) -> list[int]:
    """Return how many images each batch has, by batch: those loaded and those that failed.

    Raises:
        NotFinishedError: Not all batches are loaded.
    """
    shapes = results.shapes()
    failed = _count_failed(results, len(shapes))
    return [shape.rows + count for shape, count in zip(shapes, failed, strict=True)]


def _count_failed(results: Results, n_batches: int) -> Iterator[int]:
    """Yield how many images of each batch failed, by batch."""
    for start in range(0, n_batches, BATCHES_PER_TRIP):
        batches = range(start, min(start + BATCHES_PER_TRIP, n_batches))
        for raw in results.client.hmget(results.keys.failures, list(map(str, batches))):
            yield len(decode(raw, list[FailedImage])) if raw else 0
