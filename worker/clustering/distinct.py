"""Distinct rows: how many there are, beyond the rounding in which copies of one image differ."""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN

from shoal.worker.clustering.rows import Rows

# Of the standard deviation: copies differ in the last bits of float32.
ROUNDING = 1e-5

Float64 = NDArray[np.float64]


def count_distinct(rows: Rows, most: int) -> int:
    """Count the distinct rows of features, up to ``most``.

    Args:
        rows: Shape (n_rows, n_features); not their coordinates, which rounding tells apart.
        most: Where to stop.
    """
    distinct: set[int] = set()
    for row in rows:
        distinct.add(hash(row.tobytes()))
        if len(distinct) == most:
            break
    return len(distinct)


def round_coordinates(coordinates: NDArray[np.float32], least: float) -> NDArray[np.int64]:
    """Round coordinates, so that those of copies are equal rows, where there are no features.

    Args:
        coordinates: Shape (n_rows, n_components).
        least: What differs by less is equal, however little all of them differ.

    Returns:
        Of the same shape.
    """
    step = max(ROUNDING * float(coordinates.std()), least)
    return np.asarray(np.rint(coordinates / (step or 1.0)), np.int64)


def merge_copies(coordinates: Float64) -> Float64:
    """Give rows that differ by rounding only the coordinates of the first of them.

    Args:
        coordinates: Principal components, shape (n_rows, n_components), some thousand rows.

    Returns:
        Of the same shape.
    """
    least = ROUNDING * float(coordinates.std())
    if not least:
        return coordinates
    # With one row as enough for a cluster, its clusters are what is connected by such distances.
    groups = DBSCAN(eps=least, min_samples=1).fit(coordinates).labels_
    _, first = np.unique(groups, return_index=True)
    return np.asarray(coordinates[first[groups]])
