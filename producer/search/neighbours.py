"""Exact nearest neighbours, found in one pass over a job's coordinates, a batch at a time.

Norms and one matrix product in float32 tell which images may be among the nearest, within the
bound of their rounding; those few are measured again in float64. So the result is exact, the same
each time, and no more than a batch is in memory.
"""

import numpy as np
from numpy.typing import NDArray

from shoal.producer.search.groups import Groups, Places, make_places

# Of float32: the relative error of one operation.
UNIT_ROUNDOFF = 2.0**-24

Points = NDArray[np.float32]


class NearestImages:
    """The images nearest to some points, among those that were seen so far.

    Attributes:
        places: Of the images, by distance and then by place; shape (n_found,).
        distances: To the nearest of the queries, float64 of shape (n_found,).
        points: Coordinates of the images, shape (n_found, n_components).
    """

    def __init__(
        self,
        queries: Points,
        count: int,
        groups: Groups,
        max_distance: float = np.inf,
        left_out: Places | None = None,
    ) -> None:
        """Begin without any image.

        Args:
            queries: Points to search near, shape (n_queries, n_components).
            count: Most images to find.
            groups: Of each group, only the nearest image is found.
            max_distance: Images farther from all queries are not found.
            left_out: Places of images that are not found, nor any other of their groups.
        """
        self._queries = queries
        self._queries_exact = queries.astype(np.float64)
        self._query_squares = np.einsum("ij,ij->i", queries, queries)
        self._count = count
        self._groups = groups
        self._max_distance = max_distance
        self._left_out = groups.find(np.empty(0, np.int64) if left_out is None else left_out)
        self.places: Places = np.empty(0, np.int64)
        self.distances = np.empty(0)
        self.points: Points = np.empty((0, queries.shape[1]), np.float32)

    def add(self, batch: int, points: Points) -> None:
        """See the images of a batch, of shape (n_images, n_components)."""
        chosen = self._choose(points)
        if not len(chosen):
            return
        some = points[chosen]
        distances = measure_distances(some, self._queries_exact).min(axis=1)
        places = make_places(batch, chosen)
        is_wanted = distances <= self._max_distance
        if len(self._left_out):
            is_wanted &= ~np.isin(self._groups.find(places), self._left_out)
        self._keep(places[is_wanted], distances[is_wanted], some[is_wanted])

    def _choose(self, points: Points) -> NDArray[np.intp]:
        """Choose the rows of ``points`` that may be near enough to be found."""
        squares = np.einsum("ij,ij->i", points, points)
        sums = squares[:, np.newaxis] + self._query_squares
        estimated = sums - 2 * (points @ self._queries.T)
        # Of a product or a norm of n terms, the error is at most n units of the two lengths
        # (Higham 2002, section 3.1); here are three, and a few operations more.
        estimated -= sums * np.float32((2 * points.shape[1] + 8) * UNIT_ROUNDOFF)
        farthest = self._farthest()
        # Not "at most": what is not a number is measured again.
        is_far = estimated.min(axis=1) > farthest * farthest * (1 + 2.0**-20)
        return np.flatnonzero(~is_far)

    def _farthest(self) -> float:
        """Return the distance beyond which no image is found any more."""
        if len(self.distances) < self._count:
            return self._max_distance
        return float(self.distances[-1])

    def _keep(self, places: Places, distances: NDArray[np.float64], points: Points) -> None:
        """Add images to those found, and keep the nearest, one of each group."""
        places = np.concatenate([self.places, places])
        distances = np.concatenate([self.distances, distances])
        order = np.lexsort((places, distances))
        _, first = np.unique(self._groups.find(places[order]), return_index=True)
        order = order[np.sort(first)[: self._count]]
        self.places, self.distances = places[order], distances[order]
        self.points = np.concatenate([self.points, points])[order]


def measure_distances(
    points: NDArray[np.floating], others: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Measure the Euclidean distances between points, in float64.

    Args:
        points: Shape (n_points, n_components).
        others: Shape (n_others, n_components).

    Returns:
        Shape (n_points, n_others).
    """
    points = points.astype(np.float64, copy=False)
    distances = np.empty((len(points), len(others)))
    # One at a time: all differences at once may take gigabytes.
    for number, other in enumerate(others):
        differences = points - other
        distances[:, number] = np.sqrt(np.einsum("ij,ij->i", differences, differences))
    return distances
