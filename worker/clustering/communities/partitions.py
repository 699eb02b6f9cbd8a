"""Partitions of a graph: its communities, from a few large to many small ones.

V. Traag, L. Waltman and N. J. van Eck, From Louvain to Leiden, Scientific Reports 9, 2019.
"""

from collections.abc import Iterator

import numpy as np
from graspologic_native import leiden_csr
from numpy.typing import NDArray
from scipy.sparse import csr_array

Float64 = NDArray[np.float64]
Labels = NDArray[np.int32]


def find_communities(graph: csr_array, resolution: float, seed: int) -> Labels:
    """Find communities by the Leiden algorithm; the same arguments give the same ones.

    Args:
        graph: Symmetric weights without a diagonal, shape (n_points, n_points).
        resolution: With more, there are more communities.
        seed: Of the order in which points are looked at.

    Returns:
        The community of each point, numbered by their first points, shape (n_points,).
    """
    n_points = graph.shape[0]
    _, found = leiden_csr(
        graph.indptr.astype(np.int64),
        graph.indices.astype(np.int32),
        graph.data,
        n_points,
        resolution=resolution,
        seed=seed,
    )
    return number_by_first(np.array([found[point] for point in range(n_points)]))


def number_by_first(labels: NDArray[np.integer]) -> Labels:
    """Number clusters in the order of their first points, shape (n_points,)."""
    _, first, labels = np.unique(labels, return_index=True, return_inverse=True)
    numbers = np.argsort(np.argsort(first)).astype(np.int32)
    return np.asarray(numbers[labels])


def fold(values: Float64, labels: Labels) -> Iterator[Labels]:
    """Join two clusters again and again, until two are left.

    Those are joined that add least to the squared distances from the centroids (J. Ward,
    Hierarchical grouping to optimize an objective function, JASA 58, 1963).

    Args:
        values: Points, shape (n_points, n_components).
        labels: Cluster of each, shape (n_points,).

    Yields:
        Labels with one cluster less each time.
    """
    for _ in range(int(labels.max()) - 1):
        sizes = np.bincount(labels).astype(float)
        members = np.eye(len(sizes))[labels]
        centroids = members.T @ values / sizes[:, None]
        squares = ((centroids[:, None] - centroids) ** 2).sum(axis=2)
        costs = squares * np.outer(sizes, sizes) / np.add.outer(sizes, sizes)
        np.fill_diagonal(costs, np.inf)
        one, other = np.unravel_index(costs.argmin(), costs.shape)
        labels = number_by_first(np.where(labels == other, one, labels))
        yield labels


def measure_modularity(graph: csr_array, labels: Labels) -> float:
    """Measure by how much more of the weight lies within clusters than by chance.

    M. Newman and M. Girvan, Finding and evaluating community structure, Phys. Rev. E 69, 2004.
    """
    weights = graph.sum(axis=1)
    rows = np.repeat(np.arange(len(labels)), np.diff(graph.indptr))
    inside = graph.data[labels[rows] == labels[graph.indices]].sum()
    total = weights.sum()
    return float(inside / total - ((np.bincount(labels, weights) / total) ** 2).sum())
