"""KMeans, in steps between which a job can stop."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning

from shoal.worker.checkpoint import Checkpoint
from shoal.worker.clustering.centroids import number_by_size
from shoal.worker.clustering.clusters import Clusters

KMEANS_ITERATIONS = 300
KMEANS_TOLERANCE = 1e-4  # of the variance; both as scikit-learn has them
KMEANS_STEP = 2e10  # multiplications without a checkpoint: at most 15 s, in most fits under 2 s

Float64 = NDArray[np.float64]


def fit_kmeans(
    coordinates: Float64, n_clusters: int, random_state: int, checkpoint: Checkpoint
) -> Clusters:
    """Return scikit-learn's clusters, largest first and without empty ones.

    float64, though the coordinates come from float32: in 248 fits of 2 components, k-means++ drew
    scikit-learn's rows in all of them; in float32, it drew another once.
    """
    origin = coordinates.mean(axis=0)
    centred = coordinates - origin
    centroids, _ = kmeans_plusplus(centred, n_clusters, random_state=random_state)
    # One iteration at a time where there is much to do, so that a job can stop: two to four times
    # slower. Not a few at a time: after the last of them, scikit-learn does not say if it is done.
    multiplications = KMEANS_ITERATIONS * centred.size * n_clusters
    iterations = KMEANS_ITERATIONS if multiplications <= KMEANS_STEP else 1
    still = KMEANS_TOLERANCE * centred.var(axis=0).mean()
    for _ in range(0, KMEANS_ITERATIONS, iterations):
        checkpoint()
        kmeans = KMeans(n_clusters, init=centroids, n_init=1, max_iter=iterations)
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            moved = kmeans.fit(centred).cluster_centers_ - centroids
        centroids = kmeans.cluster_centers_
        if (moved**2).sum() <= still:
            break
    return Clusters(number_by_size(coordinates, centroids + origin), float(kmeans.inertia_))
