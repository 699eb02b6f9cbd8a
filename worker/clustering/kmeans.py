"""KMeans, in steps between which a job can be stopped."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning

from shoal.worker import Checkpoint
from shoal.worker.clustering.centroids import number_by_size
from shoal.worker.clustering.clusters import Clusters

KMEANS_ITERATIONS = 300
KMEANS_TOLERANCE = 1e-4  # of the variance; both are scikit-learn's defaults
KMEANS_STEP = 2e10  # multiplications without a checkpoint: at most 15 s, in most fits under 2 s

Float64 = NDArray[np.float64]


def fit_kmeans(
    coordinates: Float64, n_clusters: int, random_state: int, checkpoint: Checkpoint
) -> Clusters:
    """Fit scikit-learn's KMeans, started by k-means++ (D. Arthur and S. Vassilvitskii, SODA 2007).

    Args:
        coordinates: Principal components, shape (n_rows, n_components). They are float64 although
            they come from float32: k-means++ then drew the same rows as scikit-learn in all of
            248 fits of 2 components; in float32, it drew another row in one of them.
        n_clusters: Clusters wanted, at most n_rows.
        random_state: Seed, below 2**32.
        checkpoint: Called between steps; may raise to stop.

    Returns:
        Clusters by falling size, without empty ones.
    """
    origin = coordinates.mean(axis=0)
    centred = coordinates - origin
    centroids, _ = kmeans_plusplus(centred, n_clusters, random_state=random_state)
    # Large fits run one iteration at a time, two to four times slower, so that a job can stop.
    # Not several at a time: scikit-learn does not say whether the last one converged.
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
