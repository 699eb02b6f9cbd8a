"""Which points a scatter plot shows, and where: frame, sample, places for numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_POINTS = 20_000
MIN_POINTS_OF_CLUSTER = 30
FENCE = 2.2
PADDING = 0.04

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """The part of the plane that is drawn: lower left and upper right corner, shape (2,)."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def is_outside(self, points: Points) -> NDArray[np.bool_]:
        """Tell for each point, shape (n, 2), whether it lies beyond the frame."""
        return np.asarray(((points < self.low) | (points > self.high)).any(axis=1))

    def clamp(self, points: Points) -> Points:
        """Move points beyond the frame to its edge."""
        return np.clip(points, self.low, self.high)

    def scale(self, points: Points) -> Points:
        """Scale points to the unit square, with the frame's corners at (0, 0) and (1, 1)."""
        return (points - self.low) / (self.high - self.low)


def choose_frame(points: Points) -> Frame:
    """Choose a frame that a few extreme points cannot blow up, for points of shape (n, 2)."""
    spans = np.array([_choose_span(values) for values in points.T])
    width = spans[:, 1] - spans[:, 0]
    padding = np.where(width > 0, width * PADDING, 1.0)
    return Frame(spans[:, 0] - padding, spans[:, 1] + padding)


def _choose_span(values: NDArray[np.float64]) -> tuple[float, float]:
    """Span all values but those both in the outer hundredth and beyond Tukey's fences.

    Either rule alone fails: a small cluster far away lies beyond the fences of a dense one, and
    the outer hundredth of well-behaved values belongs in the picture.
    """
    if not len(values):
        return -1.0, 1.0
    lowest, highest = float(values.min()), float(values.max())
    q1, q25 = np.percentile(values, (1, 25), method="higher")
    q75, q99 = np.percentile(values, (75, 99), method="lower")
    reach = FENCE * (q75 - q25)
    low, high = max(lowest, min(q1, q25 - reach)), min(highest, max(q99, q75 + reach))
    return (low, high) if low < high else (lowest, highest)


def sample_rows(labels: NDArray[np.int32]) -> NDArray[np.intp]:
    """Choose at most 20,000 rows evenly from every cluster, in an order that mixes them.

    Args:
        labels: Shape (n_samples,); noise, -1, is sampled as one more cluster.
    """
    rows = _sample_clusters(labels) if len(labels) > MAX_POINTS else np.arange(len(labels))
    return np.random.default_rng(0).permutation(rows)


def _sample_clusters(labels: NDArray[np.int32]) -> NDArray[np.intp]:
    """Choose rows evenly from every cluster, in ascending order."""
    clusters = labels - labels.min()
    sizes = np.bincount(clusters)
    # numpy sorts labels of two bytes by radix: 20 times as fast for a million rows.
    small = clusters.astype(np.uint16) if len(sizes) <= 2**16 else clusters
    by_cluster = np.argsort(small, kind="stable")
    quotas = _share_points(sizes)
    cluster = np.repeat(np.arange(len(sizes)), quotas)
    # Row r of a cluster is taken where (r + 1) × quota ÷ size reaches the next whole number.
    number = np.arange(len(cluster)) - np.repeat(np.cumsum(quotas) - quotas, quotas) + 1
    ranks = -(-number * sizes[cluster] // quotas[cluster]) - 1
    rows: NDArray[np.intp] = np.sort(by_cluster[(np.cumsum(sizes) - sizes)[cluster] + ranks])
    return rows


def _share_points(sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Share the points out by size, after a few for each cluster, so that small ones are seen."""
    least = min(MIN_POINTS_OF_CLUSTER, MAX_POINTS // (2 * max(1, len(sizes))))
    rest = MAX_POINTS - least * len(sizes)
    return np.minimum(sizes, least + sizes.astype(np.intp) * rest // max(1, int(sizes.sum())))


def measure_centroids(points: Points, labels: NDArray[np.int32], sizes: NDArray[np.intp]) -> Points:
    """Average each cluster's points, shape (n_clusters, 2); 0 where it has none."""
    sums = [np.bincount(labels, weights=values, minlength=len(sizes)) for values in points.T]
    return np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, np.newaxis]


def spread_apart(places: Points, taken: Points, room: float) -> Points:
    """Move places in the unit square so that no two are nearer than ``room``.

    A place stays where it is unless an earlier one is too near; then it moves to the nearest free
    place of a grid.

    Args:
        places: Wanted places, shape (n, 2).
        taken: Places to keep clear of too, shape (m, 2).
        room: Side of the square that each place needs. Each blocks at most 4 × room² of the unit
            square: while all of them block less than it, there is a free place.
    """
    ticks = np.arange(room / 2, 1 - room / 2, room / 3)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    spots = np.vstack([np.clip(places, room / 2, 1 - room / 2), grid])
    settled = np.empty((0, 2))
    free = np.ones(len(spots), dtype=np.bool_)
    for place in taken:
        free &= np.abs(spots - place).max(axis=1) >= room
    for place in spots[: len(places)]:
        distances = np.where(free, ((spots - place) ** 2).sum(axis=1), np.inf)
        chosen = spots[np.argmin(distances)]
        settled = np.vstack([settled, chosen])
        free &= np.abs(spots - chosen).max(axis=1) >= room
    return settled
