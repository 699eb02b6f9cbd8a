"""Centroids: which is nearest to a row, and in what order they are numbered."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAREST_ROWS = 1024

Float64 = NDArray[np.float64]


def nearest(coordinates: NDArray[Any], centroids: Float64) -> NDArray[np.int32]:
    """Return the number of the centroid nearest to each row, the lowest of equals."""
    labels = np.empty(len(coordinates), np.int32)
    half_norms = (centroids**2).sum(axis=1) / 2
    for start in range(0, len(coordinates), NEAREST_ROWS):
        rows = slice(start, start + NEAREST_ROWS)
        labels[rows] = np.argmin(half_norms - coordinates[rows] @ centroids.T, axis=1)
    return labels


def number_by_size(coordinates: Float64, centroids: Float64) -> Float64:
    """Return the centroids that have rows, largest first; equals in the order of their values."""
    centroids = np.unique(centroids, axis=0)
    sizes = np.bincount(nearest(coordinates, centroids), minlength=len(centroids))
    by_size = np.argsort(-sizes, kind="stable")
    return centroids[by_size[sizes[by_size] > 0]]


def measure_inertia(coordinates: Float64, centroids: Float64, labels: NDArray[np.int32]) -> float:
    """Return the sum of squared distances of rows to their centroids, noise left out."""
    total = 0.0
    for start in range(0, len(coordinates), NEAREST_ROWS):
        own = labels[start : start + NEAREST_ROWS]
        members = coordinates[start : start + NEAREST_ROWS][own >= 0]
        total += float(((members - centroids[own[own >= 0]]) ** 2).sum())
    return total
