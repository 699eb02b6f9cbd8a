"""Pixels: images are alike if they have the same colours in the same places."""

import math

from shoal.shared.recipe.features import EXTRACTORS
from shoal.worker.extractors.extractor import Extractor, Features, Images


def _extract_pixels(images: Images) -> Features:
    """Flatten images: every channel of every pixel is a feature.

    Returns:
        Features of shape (n_samples, image_size * image_size * 3), uint8.
    """
    return images.reshape(len(images), math.prod(images.shape[1:]))


PIXELS = Extractor("pixels", EXTRACTORS["pixels"].image_size, _extract_pixels)
