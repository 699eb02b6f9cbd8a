"""The extractor: a name, an image size and a pure function."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Features = NDArray[Any]  # uint8 or float32
Extract = Callable[[Images], Features]

# Pixels of a chunk, for example 64 images of 64 × 64: its arrays stay below 10 MB, about the size
# of a processor's cache.
CHUNK_PIXELS = 2**18


@dataclass(frozen=True)
class Extractor:
    """One way of comparing images.

    Attributes:
        name: As in ``--features``.
        image_size: Width and height that suit it, in pixels; a job's default is chosen in
            ``shared.recipe.features``.
        extract: Takes images of shape (n_samples, image_size, image_size, 3), of any size, and
            returns features of shape (n_samples, n_features).
        digest: Identifies whatever else the features depend on, such as a model; all workers of
            a job must have the same.
        code: Identifies the code of another package, which may change without its version.
    """

    name: str
    image_size: int
    extract: Extract
    digest: str = ""
    code: str = ""


def extract_in_chunks(extract: Extract, images: Images) -> Features:
    """Call ``extract`` on chunks of ``images``, so that memory does not grow with their number.

    Args:
        extract: Returns an array with one row for each image.
        images: Shape (n_samples, image_size, image_size, 3); may be empty.

    Returns:
        The rows of all images, in their order.
    """
    return np.concatenate([extract(chunk) for chunk in _split_images(images)])


def _split_images(images: Images) -> Iterator[Images]:
    """Yield images in chunks of ``CHUNK_PIXELS``; one empty chunk if there are none."""
    length = max(1, CHUNK_PIXELS // max(1, images.shape[1] * images.shape[2]))
    for start in range(0, max(1, len(images)), length):
        yield images[start : start + length]
