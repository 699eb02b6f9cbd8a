"""Embedding: images are alike if a trained network gives similar features for them."""

import os
from functools import cache, partial
from pathlib import Path

import numpy as np

from shoal.worker.extractors.extractor import Extractor, Features, Images
from shoal.worker.extractors.image_model import ImageModel

SHIPPED_MODEL = Path(__file__).parent / "models" / "efficientnet-lite2-int8.onnx"


def make_embedding(model: Path | None = None) -> Extractor:
    """Make the extractor of a model; its ``image_size`` is the one that the model takes.

    The model is loaded once per process, whatever becomes of its file.

    Args:
        model: ONNX file; None: the model that Shoal ships.

    Raises:
        UsageError: onnxruntime is missing, or the model does not fit.
    """
    path = model or SHIPPED_MODEL
    image_model = _load_model(path)
    size, digest = image_model.input.image_size, image_model.digest
    return Extractor("embedding", size, partial(embed, path), digest)


def check_model(model: Path | None = None) -> str:
    """Check that a model can be loaded and run, on a black image, and return its digest.

    Args:
        model: As for ``make_embedding``.

    Raises:
        UsageError: onnxruntime is missing, or the model does not fit.
    """
    image_model = ImageModel.load(model or SHIPPED_MODEL)
    size = image_model.input.image_size
    image_model.embed(np.zeros((1, size, size, 3), np.uint8))
    return image_model.digest


def embed(path: Path, images: Images) -> Features:
    """Run the model of ``path`` on images.

    Args:
        path: ONNX file.
        images: Shape (n_samples, image_size, image_size, 3), at least one.

    Returns:
        Features of shape (n_samples, n_features), float32.

    Raises:
        UsageError: The model cannot be loaded, or fails on an image.
    """
    return _load_model(path).embed(images)


def _load_model(path: Path) -> ImageModel:
    return _load_model_in(os.getpid(), path)


@cache
def _load_model_in(_process: int, path: Path) -> ImageModel:
    """Load a model once per process: a forked process must not run its parent's session."""
    return ImageModel.load(path)
