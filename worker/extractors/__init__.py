"""Extractors: what is compared of an image. Decoded images in, features out.

Each is pure: images of shape (n_samples, image_size, image_size, 3), uint8 RGB, give features
of shape (n_samples, n_features), uint8 or float32 and finite. An image gives the same features,
to the last bit, whatever other images are passed with it: results must not depend on how a job
is split into batches.
"""

from shoal.worker.extractors.extractor import (
    Extract,
    Extractor,
    Features,
    Images,
    extract_in_chunks,
)
from shoal.worker.extractors.registry import extract_blocks, find_extractor, find_extractors

__all__ = [
    "Extract",
    "Extractor",
    "Features",
    "Images",
    "extract_blocks",
    "extract_in_chunks",
    "find_extractor",
    "find_extractors",
]
