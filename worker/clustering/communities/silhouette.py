"""Silhouette: how far clusters are apart.

P. Rousseeuw, Silhouettes, J. Comput. Appl. Math. 20, 1987.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

LEAST_DIRECTIONS = 6
# Labelled sets had cosine silhouettes above the first; rows spread evenly along 1 to 5 components,
# in any number of clusters, had Euclidean ones below the second.
LEAST_SILHOUETTE = 0.16
LEAST_EUCLIDEAN = 0.65


def measure_distances(points: NDArray[Any], squares: NDArray[np.float64]) -> Float32:
    """Measure the distances between all points by which clusters are apart.

    They are those of cosines: features of images differ most in their direction. Few components
    have few directions; with them, they are Euclidean.

    Args:
        points: Shape (n_points, n_components); one at the origin is at 1 from all others.
        squares: Squared Euclidean distances between all of them, shape (n_points, n_points).

    Returns:
        Shape (n_points, n_points).
    """
    if points.shape[1] < LEAST_DIRECTIONS:
        return np.sqrt(squares).astype(np.float32)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    unit = (points / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return np.asarray(np.maximum(1 - unit @ unit.T, 0))


def least_silhouette(n_components: int) -> float:
    """Return the least silhouette of clusters that are apart, by these distances."""
    return LEAST_EUCLIDEAN if n_components < LEAST_DIRECTIONS else LEAST_SILHOUETTE


def measure_silhouette(distances: Float32, labels: NDArray[np.int32]) -> float:
    """Measure the mean silhouette: scikit-learn's, ten times as fast for many sets of labels.

    Args:
        distances: Between all points, shape (n_points, n_points).
        labels: Cluster of each point, shape (n_points,).

    Returns:
        -1 to 1; a point that is alone in its cluster counts 0.
    """
    members = np.eye(labels.max() + 1, dtype=np.float32)[labels]
    rows, sizes = np.arange(len(labels)), members.sum(axis=0)
    sums = distances @ members
    own = sums[rows, labels] / np.maximum(sizes[labels] - 1, 1)
    means = np.divide(sums, sizes, out=np.full_like(sums, np.inf), where=sizes > 0)
    means[rows, labels] = np.inf
    other = means.min(axis=1)
    larger = np.maximum(np.maximum(own, other), np.finfo(np.float32).tiny)
    alone = (sizes[labels] == 1) | np.isinf(other)
    return float(np.where(alone, 0, (other - own) / np.where(alone, 1, larger)).mean())
