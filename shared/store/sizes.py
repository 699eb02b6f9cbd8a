"""The sizes of a job's batches, which may all differ, and of what is left of its results."""

from collections.abc import Iterator
from dataclasses import dataclass

from shoal.shared.store.results import BATCHES_PER_TRIP, Results
from shoal.shared.store.rows import FailedImage
from shoal.shared.store.shards import Kind
from shoal.shared.wire import decode

# Redis's answer for the time that a key has left which is not there.
NO_KEY = -2


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


@dataclass(frozen=True)
class StoredSizes:
    """What is left of a finished job's large results, and how large it is.

    Attributes:
        model_bytes: Size of the model; 0 if there is none.
        features_row_bytes: Size of the features of one image; 0 if there are none any more.
        features_seconds: For how long they are kept from now on; None if that is not known.
        has_coordinates: Whether the principal components are there.
    """

    model_bytes: int
    features_row_bytes: int
    features_seconds: float | None
    has_coordinates: bool


def measure_results(results: Results) -> StoredSizes:
    """Measure what is left of a finished job's large results, without reading it."""
    client, keys = results.client, results.keys
    with client.pipeline(transaction=False) as pipe:
        (model_bytes,) = pipe.strlen(keys.model(results.model_token())).execute()
    features, coordinates = (
        client.pttl(keys.shards(kind)) for kind in (Kind.FEATURES, Kind.COORDINATES)
    )
    return StoredSizes(
        model_bytes,
        results.shape(0).row_bytes if features != NO_KEY else 0,
        features / 1000 if features > 0 else None,
        coordinates != NO_KEY,
    )
