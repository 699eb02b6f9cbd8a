"""Embedding: images are alike in which a trained network sees the same."""

import os
from functools import cache, partial
from pathlib import Path

import numpy as np

from shoal.worker.extractors.extractor import Extractor, Features, Images
from shoal.worker.extractors.image_model import ImageModel

SHIPPED_MODEL = Path(__file__).parent / "models" / "efficientnet-lite0.onnx"


def make_embedding(model: Path | None = None) -> Extractor:
    """Return the extractor of a model, whose size is that which the model takes.

    Args:
        model: ONNX file; None is the model that Shoal ships.

    Raises:
        UsageError: onnxruntime is missing, or the model does not fit.
    """
    path = model or SHIPPED_MODEL
    image_model = _load_model(path)
    size, digest = image_model.input.image_size, image_model.digest
    return Extractor("embedding", size, partial(embed, path), digest)


def check_model(model: Path | None = None) -> str:
    """Return the digest of a model that works: it was loaded, and has seen a black image.

    Raises:
        UsageError: onnxruntime is missing, or the model does not fit.
    """
    image_model = ImageModel.load(model or SHIPPED_MODEL)
    size = image_model.input.image_size
    image_model.embed(np.zeros((1, size, size, 3), np.uint8))
    return image_model.digest


def embed(path: Path, images: Images) -> Features:
    """Return what the model of ``path`` sees, of shape (n_samples, n_features), float32."""
    return _load_model(path).embed(images)


def _load_model(path: Path) -> ImageModel:
    """Return a model, loaded once in each process."""
    return _load_model_in(os.getpid(), path)


@cache
def _load_model_in(_process: int, path: Path) -> ImageModel:
    """Return a model that belongs to a process: a forked one must not run its parent's session."""
    return ImageModel.load(path)
