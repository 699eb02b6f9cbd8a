"""HDBSCAN: clusters of any shape and number where rows lie densely; the rest is noise.

R. Campello, D. Moulavi and J. Sander, Density-Based Clustering Based on Hierarchical Density
Estimates, PAKDD 2013.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN
from sklearn.neighbors import NearestNeighbors

from shoal.shared.errors import JobFailedError
from shoal.shared.text import show_count
from shoal.worker import Checkpoint
from shoal.worker.clustering.clusters import Clusters, number_references
from shoal.worker.clustering.distinct import merge_copies
from shoal.worker.clustering.references import References
from shoal.worker.clustering.sampling import choose_rows

# HDBSCAN compares all rows with each other: 5,000 of 10 components take 1 s on one core.
MOST_REFERENCES = 5000
# In more dimensions, all rows are about equally far from each other.
DIMENSIONS = 10
# Share and neighbours were measured on digits, LFW and Fashion-MNIST: with more of either, most
# images are noise.
CLUSTER_SHARE = 0.02
LEAST_CLUSTER_ROWS = 5
NEIGHBOURS = 2
ROUNDING = 1e-4  # of the standard deviation

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]


def fit_hdbscan(coordinates: Float64, random_state: int, checkpoint: Checkpoint) -> Clusters:
    """Fit scikit-learn's HDBSCAN.

    It is fitted on the first 10 components of a fixed random sample of at most 5,000 rows, which
    become references for all others. A cluster has at least a fiftieth of the sample; smaller
    groups are noise.

    Args:
        coordinates: Principal components by falling variance, shape (n_rows, n_components).
        random_state: Seed of the sample.
        checkpoint: Called between steps; may raise to stop.

    Returns:
        Clusters by falling size, with references.

    Raises:
        JobFailedError: There is no cluster.
    """
    rows = choose_rows(len(coordinates), MOST_REFERENCES, random_state)
    sample = merge_copies(coordinates[rows, :DIMENSIONS]).astype(np.float32)
    labels = _label_sample(sample)
    checkpoint()
    references = References(sample, labels, _measure_radii(sample, labels))
    return number_references(coordinates, references, checkpoint)


def _label_sample(sample: Float32) -> Int32:
    """Label each row by HDBSCAN, -1 for noise; shape (n_rows,).

    Raises:
        JobFailedError: There is no cluster.
    """
    least = max(LEAST_CLUSTER_ROWS, int(CLUSTER_SHARE * len(sample)))
    if len(sample) < least:
        raise JobFailedError(
            f"{show_count(len(sample), 'image')} are too few for HDBSCAN, whose clusters have at"
            f" least {least}: use `algorithm='kmeans'`."
        )
    # One cluster among noise is what copies of one image among others are; elsewhere HDBSCAN calls
    # any cloud one cluster if it may.
    copies = np.unique(sample, axis=0, return_counts=True)[1].max()
    for single in (False, True) if copies >= least else (False,):
        hdbscan = HDBSCAN(
            min_cluster_size=least, min_samples=NEIGHBOURS, allow_single_cluster=single, copy=True
        )
        labels = np.asarray(hdbscan.fit(sample.astype(np.float64)).labels_, np.int32)
        if (labels >= 0).any():
            return labels
    raise JobFailedError(
        "HDBSCAN found no cluster, because the images are spread evenly: use"
        " `algorithm='kmeans'` or other `features`."
    )


def _measure_radii(sample: Float32, labels: Int32) -> Float32:
    """Measure how far around each reference its cluster reaches: one radius per cluster.

    HDBSCAN itself cannot label further rows. So each reference is treated like a further row, which
    is labelled by its nearest reference. Among those whose nearest is a member of a cluster, the
    radius covers as many as are members themselves: further rows are then noise about as often as
    rows of the sample.
    """
    distances, neighbours = NearestNeighbors(n_neighbors=2).fit(sample).kneighbors(sample)
    # Copies of one image differ by rounding only.
    least = float(ROUNDING * sample.std())
    radii = np.zeros(len(sample), np.float32)
    nearest_label = labels[neighbours[:, 1]]
    for label in range(int(labels.max()) + 1):
        near = nearest_label == label
        members = int((labels[near] == label).sum())
        reached = np.sort(distances[near, 1])[:members]
        radii[labels == label] = max([least, *reached[-1:]])
    return radii
