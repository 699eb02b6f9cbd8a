"""Points: some hundred to two thousand that stand for all rows, where each is compared with each.

Points are whole numbers, of which sums and products are exact in float64: whatever processor adds
them up, and in whichever order, equal distances are equal.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shoal.worker import Checkpoint
from shoal.worker.clustering.centroids import nearest
from shoal.worker.clustering.distinct import ROUNDING
from shoal.worker.clustering.sampling import choose_rows

# Up to here, each row is a point.
MOST_ROWS = 2000
# Of more rows, a sample is put together to points, each a small cluster of rows.
SAMPLE_ROWS = 20_000
SMALL_CLUSTERS = 1000
ITERATIONS = 8
# The largest number: products of two, added up over 4,096 components, are below 2**53.
GRID = 2**19
# What lies within a quarter of the usual distance to a neighbour is taken for a copy. As rows may
# have copies, that is measured at the 8th neighbour. Not farther: a burst of ten photographs is a
# group, which would be put together to one point if the distance to the next group counted.
FAR_NEIGHBOUR = 8
# Of few rows it is a nearer one, as small groups end before; of fewer than 32, none are copies.
NEIGHBOURS_SHARE = 16
LEAST_NEIGHBOUR = 2
COPY_SHARE = 0.25

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """Points that stand for rows.

    Attributes:
        values: Whole numbers, shape (n_points, n_components).
        squares: Squared distances between all of them, exact, shape (n_points, n_points).
        step: What one is, in the coordinates of the rows.
    """

    values: Float64
    squares: Float64
    step: float

    @property
    def coordinates(self) -> Float32:
        """The coordinates of the points, shape (n_points, n_components)."""
        return (self.values * self.step).astype(np.float32)

    def without(self, limit: float) -> "Points":
        """Leave out each point within a squared distance of ``limit`` of an earlier one."""
        kept = np.ones(len(self.values), bool)
        for point, row in enumerate(self.squares):
            if kept[point]:
                kept[point + 1 :] &= row[point + 1 :] > limit
        if kept.all():
            return self
        return Points(self.values[kept], self.squares[np.ix_(kept, kept)], self.step)


def choose_points(coordinates: Float64, random_state: int, checkpoint: Checkpoint) -> Points:
    """Choose the points that stand for rows: the rows themselves, or the centres of small clusters.

    Copies, and what lies as near as copies do, are one point.

    Args:
        coordinates: Principal components, shape (n_rows, n_components).
        random_state: Seed of the sample of rows, if they are more than 2,000.
        checkpoint: Called between steps; may raise to stop.
    """
    is_small = len(coordinates) <= MOST_ROWS
    some = coordinates[choose_rows(len(coordinates), SAMPLE_ROWS, random_state)]
    step = float(np.abs(some).max(initial=0.0)) / GRID or 1.0
    values = np.rint(some / step)
    if not is_small:
        values = _find_centres(values, random_state, checkpoint)
    squares = measure_squares(values)
    checkpoint()
    # What differs by rounding comes first: where all have copies, neighbours are at no distance.
    rounding = (ROUNDING * float(values.std())) ** 2 + values.shape[1]
    points = Points(values, squares, step).without(rounding)
    return points.without((COPY_SHARE * _measure_usual(points)) ** 2)


def measure_squares(values: Float64) -> Float64:
    """Measure the squared distances between all points.

    Args:
        values: Whole numbers, shape (n_points, n_components).

    Returns:
        Shape (n_points, n_points).
    """
    norms = (values**2).sum(axis=1)
    squares = values @ values.T
    squares *= -2
    squares += norms[:, None]
    squares += norms
    return np.asarray(squares)


def _measure_usual(points: Points) -> float:
    """Measure the usual distance to the nearest neighbour, were there no copies."""
    near = min(FAR_NEIGHBOUR, len(points.values) // NEIGHBOURS_SHARE)
    if near < LEAST_NEIGHBOUR:
        return 0.0
    far = float(np.median(np.partition(points.squares, near, axis=1)[:, near]))
    # Of points that are spread evenly.
    return float(np.sqrt(far) * near ** (-1 / points.values.shape[1]))


def _find_centres(values: Float64, random_state: int, checkpoint: Checkpoint) -> Float64:
    """Find the centres of 1,000 small clusters: KMeans from random rows, in whole numbers."""
    generator = np.random.default_rng(random_state)
    centres = values[np.sort(generator.choice(len(values), SMALL_CLUSTERS, replace=False))]
    for _ in range(ITERATIONS):
        checkpoint()
        labels = nearest(values, centres)
        sizes = np.bincount(labels, minlength=len(centres))
        columns = (np.bincount(labels, column, len(centres)) for column in values.T)
        sums = np.stack(list(columns), axis=1)
        centres = np.rint(sums[sizes > 0] / sizes[sizes > 0, None])
    return centres
