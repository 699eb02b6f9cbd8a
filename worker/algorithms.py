"""Clusters by other means than KMeans: in mini-batches, or where rows lie densely."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN, MiniBatchKMeans
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from worker.model import nearest
from worker.sampling import choose_rows

BATCH_ROWS = 4096
MOST_BATCHES = 200
NOISE = -1
# HDBSCAN compares all rows with each other: 2,000 of 50 components take 0.3 s on one core, 5,000
# take 1.3 s and 10,000 take 5.6 s.
REFERENCE_VALUES = 5000 * 5000 * 50
MOST_REFERENCES = 5000
# Both by measurement on digits, LFW and Fashion-MNIST: more of either, and most images are noise.
CLUSTER_SHARE = 0.02
LEAST_CLUSTER_ROWS = 5
NEIGHBOURS = 2
BLOCK_ROWS = 1024

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class References:
    """Rows whose clusters are known, to label others by.

    Attributes:
        coordinates: Shape (n_references, n_components).
        labels: Clusters by falling size, -1 is noise; shape (n_references,).
        radii: How far from each a row still is of its cluster, shape (n_references,).
    """

    coordinates: Float32
    labels: Int32
    radii: Float32


def find_minibatch_clusters(
    coordinates: Float64,
    n_clusters: int,
    random_state: int,
    checkpoint: Callable[[], None] = lambda: None,
) -> tuple[Float64, float]:
    """Return MiniBatchKMeans' centroids, largest cluster first and without empty ones, and inertia.

    At most 200 batches of 4,096 rows are looked at (Sculley 2010), however many rows there are.

    Args:
        coordinates: Shape (n_rows, n_components).
        n_clusters: At most the number of distinct rows.
        random_state: Seed of the start and of the batches.
        checkpoint: Called between batches; may raise to stop.
    """
    size = min(BATCH_ROWS, len(coordinates))
    generator = np.random.default_rng(random_state)
    start = coordinates[choose_rows(len(coordinates), 3 * BATCH_ROWS, random_state)]
    kmeans = MiniBatchKMeans(n_clusters, batch_size=size, n_init=3, random_state=random_state)
    still = 1e-4 * start.std()
    # OpenMP's threads add up in the order in which they finish: one gives the same bits.
    with threadpool_limits(1):
        kmeans.partial_fit(start)
        for _ in range(MOST_BATCHES):
            checkpoint()
            before = kmeans.cluster_centers_.copy()
            kmeans.partial_fit(coordinates[generator.integers(len(coordinates), size=size)])
            if np.abs(kmeans.cluster_centers_ - before).max() <= still:
                break
    return number_centroids(coordinates, kmeans.cluster_centers_)


def number_centroids(coordinates: Float64, centroids: Float64) -> tuple[Float64, float]:
    """Return the centroids that have rows, largest first, and the inertia."""
    centroids = np.unique(centroids, axis=0)
    labels = nearest(coordinates, centroids)
    sizes = np.bincount(labels, minlength=len(centroids))
    by_size = np.argsort(-sizes, kind="stable")
    inertia = sum(
        float(((coordinates[start : start + BLOCK_ROWS] - centroids[block]) ** 2).sum())
        for start, block in split_blocks(labels)
    )
    return centroids[by_size[sizes[by_size] > 0]], inertia


def split_blocks(labels: Int32) -> list[tuple[int, Int32]]:
    """Return labels a thousand at a time, with the row that each begins at."""
    starts = range(0, len(labels), BLOCK_ROWS)
    return [(start, labels[start : start + BLOCK_ROWS]) for start in starts]


def find_dense_clusters(coordinates: Float64, random_state: int) -> References:
    """Return references whose clusters HDBSCAN found (Campello, Moulavi and Sander 2013).

    It is fitted on a fixed random sample of at most 5,000 rows; a cluster has at least a fiftieth
    of them, so that rarer things are noise. There may be no cluster at all.

    Args:
        coordinates: Shape (n_rows, n_components); float32 decides, as in labelling.
        random_state: Seed of the sample.
    """
    most = min(MOST_REFERENCES, int((REFERENCE_VALUES / coordinates.shape[1]) ** 0.5))
    rows = choose_rows(len(coordinates), most, random_state)
    sample = coordinates[rows].astype(np.float32)
    least = max(LEAST_CLUSTER_ROWS, int(CLUSTER_SHARE * len(sample)))
    if len(sample) < least:
        noise = np.full(len(sample), NOISE, np.int32)
        return References(sample, noise, np.zeros(len(sample), np.float32))
    hdbscan = HDBSCAN(min_cluster_size=least, min_samples=NEIGHBOURS, copy=True)
    with threadpool_limits(1):
        labels = number_labels(hdbscan.fit(sample.astype(np.float64)).labels_)
        radii = find_radii(sample, labels)
    return References(sample, labels, radii)


def number_labels(labels: NDArray[np.integer]) -> Int32:
    """Return the labels numbered by falling size of cluster, noise as it is."""
    sizes = np.bincount(labels[labels >= 0])
    numbers = np.argsort(np.argsort(-sizes, kind="stable"), kind="stable")
    return np.asarray(np.append(numbers, NOISE)[labels], np.int32)


def find_radii(sample: Float32, labels: Int32) -> Float32:
    """Return how far around each reference its cluster reaches: one radius for each cluster.

    HDBSCAN itself cannot label further rows. So each reference is labelled as if it were one, by
    its nearest other. Of those that are nearest to a cluster's member, as many are to be within
    the radius as are members: further rows are then noise about as often as the sample's.
    """
    distances, neighbours = NearestNeighbors(n_neighbors=2).fit(sample).kneighbors(sample)
    radii = np.zeros(len(sample), np.float32)
    nearest_label = labels[neighbours[:, 1]]
    for label in range(int(labels.max()) + 1):
        beside = nearest_label == label
        members = int((labels[beside] == label).sum())
        reached = np.sort(distances[beside, 1])[:members]
        radii[labels == label] = reached[-1] if members else 0
    return radii


def label_by_references(
    coordinates: NDArray[np.floating], references: Float32, reference_labels: Int32, radii: Float32
) -> tuple[Int32, Float32]:
    """Return each row's label, that of its nearest reference, and the distance to it.

    A row farther from it than its radius is noise, -1. A reference itself gets its own label.

    Args:
        coordinates: Shape (n_rows, n_components).
        references: Shape (n_references, n_components); of equally near ones the first counts.
        reference_labels: Shape (n_references,).
        radii: Shape (n_references,).

    Returns:
        Labels and distances, each of shape (n_rows,).
    """
    # float64: the products must tell a reference from its close neighbours.
    known = references.astype(np.float64)
    labels = np.empty(len(coordinates), np.int32)
    distances = np.empty(len(coordinates), np.float32)
    for start in range(0, len(coordinates), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        block = coordinates[rows].astype(np.float64)
        closest = nearest(block, known)
        distances[rows] = np.linalg.norm(block - known[closest], axis=1)
        within = distances[rows] <= radii[closest]
        labels[rows] = np.where(within, reference_labels[closest], NOISE)
    return labels, distances
