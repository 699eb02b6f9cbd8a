"""Centroids: the nearest to a row, their order, and how far their rows are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAREST_ROWS = 1024

Float64 = NDArray[np.float64]


def nearest(coordinates: NDArray[Any], centroids: Float64) -> NDArray[np.int32]:
    """Return the number of the centroid nearest to each row; of equals, the lowest.

    Args:
        coordinates: Shape (n_rows, n_components).
        centroids: Shape (n_clusters, n_components).

    Returns:
        Numbers of shape (n_rows,).
    """
    labels = np.empty(len(coordinates), np.int32)
    half_norms = (centroids**2).sum(axis=1) / 2
    for start in range(0, len(coordinates), NEAREST_ROWS):
        rows = slice(start, start + NEAREST_ROWS)
        labels[rows] = np.argmin(half_norms - coordinates[rows] @ centroids.T, axis=1)
    return labels


def number_by_size(coordinates: Float64, centroids: Float64) -> Float64:
    """Sort centroids by falling number of rows; equals by their values.

    Args:
        coordinates: Shape (n_rows, n_components).
        centroids: Shape (n, n_components).

    Returns:
        The distinct centroids that have rows, shape (n_clusters, n_components).
    """
    centroids = np.unique(centroids, axis=0)
    sizes = np.bincount(nearest(coordinates, centroids), minlength=len(centroids))
    by_size = np.argsort(-sizes, kind="stable")
    return centroids[by_size[sizes[by_size] > 0]]


def measure_inertia(coordinates: Float64, centroids: Float64, labels: NDArray[np.int32]) -> float:
    """Sum up the squared distances of rows to their centroids, without noise.

    Args:
        coordinates: Shape (n_rows, n_components).
        centroids: Shape (n_clusters, n_components).
        labels: Number of each row's centroid, -1 for noise; shape (n_rows,).
    """
    total = 0.0
    for start in range(0, len(coordinates), NEAREST_ROWS):
        own = labels[start : start + NEAREST_ROWS]
        members = coordinates[start : start + NEAREST_ROWS][own >= 0]
        total += float(((members - centroids[own[own >= 0]]) ** 2).sum())
    return total
