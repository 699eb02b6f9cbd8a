"""Matching: clusters take the numbers that the same images had before."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The exact pairing takes the cube of the number of clusters: a second at 2,000 of them.
EXACT_CELLS = 2**22

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Matching:
    """The numbers of clusters, as near to earlier ones as can be.

    Attributes:
        numbers: The number of each cluster, a permutation of 0 to ``n_clusters`` - 1.
        kept: The numbers of clusters that have the number of their counterpart, ascending.
    """

    numbers: Int64
    kept: Int64

    @property
    def n_matched(self) -> int:
        """How many clusters have the number of their counterpart."""
        return len(self.kept)


def match_clusters(labels: Int32, earlier: Int32, n_clusters: int) -> Matching:
    """Number clusters as those that they share most images with.

    Clusters are paired one to one so that pairs share as many images as possible (H. W. Kuhn, The
    Hungarian method for the assignment problem, 1955); thousands of clusters are paired one after
    the other instead, those that share most first. A cluster takes the number of its
    counterpart, as long as that is below ``n_clusters``; all others take what is free, in their
    order. So numbers are 0 to ``n_clusters`` - 1 again, without gaps.

    Args:
        labels: Present cluster of each image, -1 for noise; shape (n_images,).
        earlier: Earlier cluster of the same images, -1 for noise; shape (n_images,).
        n_clusters: How many clusters there are at present.
    """
    pairs = _count_shared(labels, earlier)
    n_earlier = int(earlier.max(initial=-1)) + 1
    is_small = n_clusters * n_earlier <= EXACT_CELLS
    chosen = _pair_exactly(pairs, (n_clusters, n_earlier)) if is_small else _pair_greedily(pairs)
    numbers = np.full(n_clusters, -1, np.int64)
    for cluster, number in chosen:
        if number < n_clusters:
            numbers[cluster] = number
    is_free = numbers < 0
    numbers[is_free] = np.setdiff1d(np.arange(n_clusters), numbers)
    return Matching(numbers, np.sort(numbers[~is_free]))


def _count_shared(labels: Int32, earlier: Int32) -> Int64:
    """Count the images of each cluster in each earlier one, where there are any.

    Returns:
        Rows of cluster, earlier cluster, and number of images, ascending; shape (n_pairs, 3).
    """
    in_both = (labels >= 0) & (earlier >= 0)
    found = np.stack([labels[in_both], earlier[in_both]], axis=1)
    pairs, counts = np.unique(found, axis=0, return_counts=True)
    return np.column_stack([pairs, counts]).astype(np.int64)


def _pair_exactly(pairs: Int64, shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Pair clusters one to one so that pairs share most, without pairs that share nothing."""
    # scipy.optimize is slow to import, and most fits match nothing.
    from scipy.optimize import linear_sum_assignment

    shared = np.zeros(shape, np.int64)
    shared[pairs[:, 0], pairs[:, 1]] = pairs[:, 2]
    clusters, numbers = linear_sum_assignment(shared, maximize=True)
    found = zip(clusters.tolist(), numbers.tolist(), strict=True)
    return [(cluster, number) for cluster, number in found if shared[cluster, number]]


def _pair_greedily(pairs: Int64) -> list[tuple[int, int]]:
    """Pair clusters one to one, those that share most first; of equals, in their order."""
    chosen, taken = dict[int, int](), set[int]()
    for cluster, number, _ in pairs[np.argsort(-pairs[:, 2], kind="stable")].tolist():
        if cluster not in chosen and number not in taken:
            chosen[cluster] = number
            taken.add(number)
    return list(chosen.items())
