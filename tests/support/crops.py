"""Rows of real pixels, and the model of them."""

from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import data

from shoal.worker.clustering.clustering import Clustering
from shoal.worker.model.fitting import fit_model
from shoal.worker.model.model import FittedModel


@cache
def make_crops(n_rows: int) -> NDArray[np.uint8]:
    """Return random 32 × 32 crops of photos, of shape (n_rows, 3072)."""
    photos = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket(), data.retina()]
    rng = np.random.default_rng(0)
    crops = []
    for number in range(n_rows):
        photo = photos[number % len(photos)]
        step = rng.integers(1, 1 + min(photo.shape[:2]) // 32)
        top, left = (rng.integers(0, length - 32 * step + 1) for length in photo.shape[:2])
        crop = photo[top : top + 32 * step : step, left : left + 32 * step : step]
        crops.append(crop.ravel())
    return np.array(crops)


def fit(
    rows: NDArray[Any], n_components: int = 2, n_clusters: int = 5, **others: Any
) -> FittedModel:
    """Fit the model of all rows."""
    mean, scale = rows.mean(axis=0, dtype=float), rows.std(axis=0, dtype=float)
    clustering = Clustering(n_clusters=n_clusters, **others)
    return fit_model(rows, mean, scale, clustering, n_components)[0]


def hash_model() -> str:
    """Digest the bytes of the model of 3,000 crops, in ten components."""
    return sha256(fit(make_crops(3000), n_components=10).to_bytes()).hexdigest()
