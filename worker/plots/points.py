"""Which points a scatter plot shows, and where: sample, frame, places for numbers."""

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
        """Return points with the frame's corners at (0, 0) and (1, 1)."""
        return (points - self.low) / (self.high - self.low)


def find_frame(points: Points) -> Frame:
    """Find a frame that a few extreme points cannot blow up, for points of shape (n, 2)."""
    spans = np.array([_find_span(values) for values in points.T])
    width = spans[:, 1] - spans[:, 0]
    padding = np.where(width > 0, width * PADDING, 1.0)
    return Frame(spans[:, 0] - padding, spans[:, 1] + padding)


def _find_span(values: NDArray[np.float64]) -> tuple[float, float]:
    """Find the span of all values but those both in the outer hundredth and beyond Tukey's fences.

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


def sample_with_noise(
    labels: NDArray[np.int32], sizes: NDArray[np.intp], noise: int
) -> NDArray[np.intp]:
    """Choose rows as ``sample_rows`` does, of noise, -1, as of one more cluster."""
    if not noise:
        return sample_rows(labels, sizes)
    as_cluster = np.where(labels < 0, len(sizes), labels).astype(np.int32)
    return sample_rows(as_cluster, np.append(sizes, noise))


def sample_rows(labels: NDArray[np.int32], sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Choose at most 20,000 rows evenly from every cluster, in an order that mixes them.

    Args:
        labels: Shape (n_samples,).
        sizes: Rows of each label, shape (n_clusters,).
    """
    rows = np.arange(len(labels))
    if len(labels) > MAX_POINTS:
        quotas, own_sizes = _share_points(sizes)[labels], sizes[labels]
        # Row r of a cluster is taken where r × quota ÷ size reaches the next whole number.
        reached = _rank_within_cluster(labels, sizes) * quotas
        rows = np.flatnonzero((reached + quotas) // own_sizes > reached // own_sizes)
    return np.random.default_rng(0).permutation(rows)


def _share_points(sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Share the points out by size, after a few for each cluster, so that small ones are seen."""
    least = min(MIN_POINTS_OF_CLUSTER, MAX_POINTS // (2 * max(1, len(sizes))))
    rest = MAX_POINTS - least * len(sizes)
    return np.minimum(sizes, least + sizes.astype(np.intp) * rest // max(1, int(sizes.sum())))


def _rank_within_cluster(labels: NDArray[np.int32], sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Number the rows of each cluster from 0, in their order."""
    by_label = np.argsort(labels, kind="stable")
    first = np.cumsum(sizes) - sizes
    ranks = np.empty(len(labels), dtype=np.intp)
    ranks[by_label] = np.arange(len(labels)) - first[labels[by_label]]
    return ranks


def find_centroids(points: Points, labels: NDArray[np.int32], sizes: NDArray[np.intp]) -> Points:
    """Find the mean of each cluster's points, shape (n_clusters, 2); 0 where it has none."""
    sums = [np.bincount(labels, weights=values, minlength=len(sizes)) for values in points.T]
    return np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, np.newaxis]


def spread_apart(places: Points, taken: Points, room: float, box: Points) -> Points:
    """Move places so that no two are nearer than ``room``: first come, nearest free place.

    Args:
        places: Wanted places, shape (n, 2).
        taken: Places to keep clear of too, shape (m, 2).
        room: Side of the square that each one needs.
        box: Width and height that places may not leave, shape (2,).
    """
    steps = np.array(
        [(0.0, 0.0)] + [ring for radius in range(1, 12) for ring in _make_ring(radius)]
    )
    edge = room / 2
    settled = taken
    for place in places:
        candidates = np.clip(place + steps * room / 2, edge, box - edge)
        gaps = np.abs(candidates[:, np.newaxis] - settled).max(axis=2).min(axis=1, initial=np.inf)
        # With no free place left, the one with the most air is the least bad.
        choice = int(np.argmax(gaps >= room)) if (gaps >= room).any() else int(np.argmax(gaps))
        settled = np.vstack([settled, candidates[choice]])
    return settled[len(taken) :]


def _make_ring(radius: int) -> list[tuple[float, float]]:
    """Return places around the origin, the farther out the more of them."""
    angles = np.linspace(0, 2 * np.pi, 8 * radius, endpoint=False)
    return [(radius * float(np.cos(a)), radius * float(np.sin(a))) for a in angles]
