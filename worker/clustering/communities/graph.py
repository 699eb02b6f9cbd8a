"""A graph of neighbours: points are linked that are near, and share what is near to them.

The weights are those of shared neighbours (R. Jarvis and E. Patrick, IEEE Trans. Comput. C-22,
1973), as the Jaccard index of the two lists.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

NEIGHBOURS = 15
# Of few points, fewer neighbours: else every point is linked with every other.
POINTS_PER_NEIGHBOUR = 8
LEAST_NEIGHBOURS = 3
BLOCK_ROWS = 256
Float64 = NDArray[np.float64]


def count_neighbours(n_points: int) -> int:
    """Return how many neighbours each of ``n_points`` points has."""
    wanted = min(NEIGHBOURS, max(LEAST_NEIGHBOURS, n_points // POINTS_PER_NEIGHBOUR))
    return min(wanted, n_points - 1)


def link_neighbours(squares: Float64) -> csr_array:
    """Link each point with its nearest, by how many of their neighbours they share.

    Args:
        squares: Squared distances between all points, shape (n_points, n_points), at least 2.

    Returns:
        Weights above 0 and up to 1, symmetric, without a diagonal, indices in ascending order;
        shape (n_points, n_points).
    """
    near = csr_array(_find_near(squares, count_neighbours(len(squares))), dtype=np.float64)
    shared = (near @ near.T).multiply(near + near.T > 0)
    size = near.sum(axis=1)[0]
    graph = csr_array(shared)
    graph.data /= 2 * size - graph.data
    graph.setdiag(0)
    graph.eliminate_zeros()
    graph.sort_indices()
    return graph


def _find_near(squares: Float64, n_neighbours: int) -> NDArray[np.bool_]:
    """Mark each point and its nearest; of equally near ones, those that come first."""
    near = np.empty(squares.shape, bool)
    for start in range(0, len(squares), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        block = squares[rows].copy()
        np.fill_diagonal(block[:, start:], -1)
        limit = np.partition(block, n_neighbours, axis=1)[:, n_neighbours, None]
        nearer, equal = block < limit, block == limit
        room = n_neighbours + 1 - nearer.sum(axis=1, keepdims=True)
        near[rows] = nearer | (equal & (equal.cumsum(axis=1) <= room))
    return near
