"""The extractor: a name, a size and a pure function."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Features = NDArray[Any]  # uint8 or float32
Extract = Callable[[Images], Features]

# Of one channel, in a chunk: 64 images of 64 × 64. Its arrays stay below 10 MB, about what a
# processor caches.
CHUNK_PIXELS = 2**18


@dataclass(frozen=True)
class Extractor:
    """One way of comparing images.

    Attributes:
        name: What ``--features`` calls it.
        image_size: What suits it, in pixels; ``shared.recipe.features`` has the default of a job.
        digest: Of what else decides about the features, such as a model; workers of one job
            must agree on it.
        extract: Images of shape (n_samples, image_size, image_size, 3) in, of any size;
            features of shape (n_samples, n_features) out.
    """

    name: str
    image_size: int
    extract: Extract
    digest: str = ""


def extract_in_chunks(extract: Extract, images: Images) -> Features:
    """Return what ``extract`` does of ``images``, in memory that does not grow with them."""
    return np.concatenate([extract(chunk) for chunk in _split_images(images)])


def _split_images(images: Images) -> Iterator[Images]:
    """Yield images in chunks of ``CHUNK_PIXELS``; of no images, one empty chunk."""
    length = max(1, CHUNK_PIXELS // max(1, images.shape[1] * images.shape[2]))
    for start in range(0, max(1, len(images)), length):
        yield images[start : start + length]
