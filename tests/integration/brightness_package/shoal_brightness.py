"""Brightness: images are alike whose mean and contrast are."""

import numpy as np
from numpy.typing import NDArray

from shoal.worker.extractors import Extractor


def extract_brightness(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean and the standard deviation of each image.

    Args:
        images: Pixels of shape (n_samples, image_size, image_size, 3).

    Returns:
        Features of shape (n_samples, 2).
    """
    values = images.reshape(len(images), -1)
    return np.stack([values.mean(axis=1), values.std(axis=1)], axis=1).astype(np.float32)


BRIGHTNESS = Extractor("brightness", 16, extract_brightness)
