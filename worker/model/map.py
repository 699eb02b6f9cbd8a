"""The map: each image as a point, so that images that look alike lie close together."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shoal.worker.clustering.sampling import choose_rows

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

PERPLEXITY = 30.0
ITERATIONS = 500
DIMENSIONS = 2
# Landmarks that decide where another row stands.
NEIGHBOURS = 10
PLACED_ROWS = 256
# Landmarks of which only the nearest is looked at first.
GROUPED = 12
# Coordinates of these landmarks that are held at once: 32 MB in float64.
PLACED_VALUES = 2**22
# Fewer rows have no neighbours to keep.
LEAST_ROWS = 5


def no_landmarks() -> Float32:
    """Make the landmarks, or the positions, of a map that has none."""
    return np.empty((0, 2), np.float32)


@dataclass(frozen=True)
class Map:
    """Where images stand on a map of two dimensions.

    Attributes:
        landmarks: Principal components of the rows that were laid out together; shape
            (n_landmarks, n_components). Without any, the map is the first two components.
        positions: Where these stand, shape (n_landmarks, 2).
    """

    landmarks: Float32 = field(default_factory=no_landmarks)
    positions: Float32 = field(default_factory=no_landmarks)

    def place(self, coordinates: NDArray[Any]) -> Float32:
        """Return where rows stand: a landmark at its position, others among the nearest ones.

        A row stands at the mean of its 10 nearest landmarks, each weighted by exp(-2 (d / d_min)²),
        where d is its distance and d_min that of the nearest.

        Args:
            coordinates: Principal components, shape (n_rows, n_components).

        Returns:
            Positions of shape (n_rows, 2); the second column is 0 if there is one component.
        """
        placed = np.zeros((len(coordinates), 2), np.float32)
        if not len(self.landmarks):
            placed[:, : coordinates.shape[1]] = coordinates[:, :2]
            return placed
        half_norms = (self.landmarks**2).sum(axis=1) / 2
        fitting = PLACED_VALUES // (NEIGHBOURS * coordinates.shape[1])
        n_rows = min(PLACED_ROWS, max(1, fitting))
        for start in range(0, len(coordinates), n_rows):
            rows = np.asarray(coordinates[start : start + n_rows], np.float32)
            found = self._find_nearest(rows, half_norms)
            # In float64, so that a landmark is told from its close neighbours.
            gaps = rows[:, None].astype(np.float64) - self.landmarks[found]
            weights = _weigh((gaps**2).sum(axis=2))
            placed[start : start + len(rows)] = (weights[..., None] * self.positions[found]).sum(1)
        return placed

    def _find_nearest(self, rows: Float32, half_norms: Float32) -> NDArray[np.intp]:
        """Find the nearest landmarks of each row, ascending; shape (n_rows, n_found)."""
        n_landmarks = len(self.landmarks)
        n_found, n_groups = min(NEIGHBOURS, n_landmarks), -(-n_landmarks // GROUPED)
        nearness = np.full((n_groups * GROUPED, len(rows)), np.inf, np.float32)
        np.matmul(self.landmarks, rows.T, out=nearness[:n_landmarks])
        np.subtract(half_norms[:, None], nearness[:n_landmarks], out=nearness[:n_landmarks])
        # The ten nearest are in the ten groups of which the nearest landmarks are nearest. To look
        # for those in all landmarks takes four times as long.
        nearest = nearness.reshape(n_groups, GROUPED, -1).min(axis=1)
        groups = _find_least(np.ascontiguousarray(nearest.T), min(n_found, n_groups))
        among = (groups[:, :, None] * GROUPED + np.arange(GROUPED)).reshape(len(rows), -1)
        found = _find_least(nearness[among, np.arange(len(rows))[:, None]], n_found)
        return np.sort(np.take_along_axis(among, found, axis=1), axis=1)


def _find_least(values: Float32, count: int) -> NDArray[np.intp]:
    """Return the places of the least values of each row, in any order; shape (n_rows, count)."""
    return np.argpartition(values, count - 1, axis=1)[:, :count]


def _weigh(squares: Float64) -> Float64:
    """Return the weights of landmarks from their squared distances; shape (n_rows, n_found)."""
    least = squares.min(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.where(least > 0, np.exp(-2 * squares / least), squares == least)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def fit_map(coordinates: NDArray[Any], n_landmarks: int, random_state: int) -> Map:
    """Lay out a sample of rows so that the neighbours of each stay its neighbours.

    By t-SNE (van der Maaten and Hinton 2008) from the first two components, so that it comes out
    the same each time; distances between groups that lie apart mean nothing.

    Args:
        coordinates: Principal components, shape (n_rows, n_components).
        n_landmarks: Rows to lay out at most.
        random_state: Seed of the sample.

    Returns:
        A map without landmarks if two components say it all, or if the rows are too few.
    """
    # Slow to import, and most processes only place images.
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    chosen = choose_rows(len(coordinates), n_landmarks, random_state)
    landmarks = coordinates[chosen].astype(np.float32)
    if len(landmarks) < LEAST_ROWS or landmarks.shape[1] <= DIMENSIONS:
        return Map()
    spread = landmarks[:, 0].std()
    if not spread:
        return Map()
    layout = TSNE(
        perplexity=min(PERPLEXITY, (len(landmarks) - 1) / 3),
        max_iter=ITERATIONS,
        init=landmarks[:, :DIMENSIONS] / spread * 1e-4,
        learning_rate="auto",
        random_state=random_state,
    )
    # With more threads, OpenMP adds up in the order in which they finish. The limit of the caller
    # is that of another thread.
    with threadpool_limits(1):
        return Map(landmarks, np.asarray(layout.fit_transform(landmarks), np.float32))
