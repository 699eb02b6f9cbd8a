"""KMeans in mini-batches, for very many rows and clusters.

D. Sculley, Web-Scale K-Means Clustering, WWW 2010.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans

from shoal.worker import Checkpoint
from shoal.worker.clustering.centroids import measure_inertia, nearest, number_by_size
from shoal.worker.clustering.clusters import Clusters
from shoal.worker.clustering.sampling import choose_rows

BATCH_ROWS = 4096
MOST_BATCHES = 200
MINIBATCH_STARTS = 3
TOLERANCE = 1e-4  # of the standard deviation

Float64 = NDArray[np.float64]


def fit_minibatch(
    coordinates: Float64, n_clusters: int, random_state: int, checkpoint: Checkpoint
) -> Clusters:
    """Fit scikit-learn's MiniBatchKMeans.

    It uses at most 200 batches of 4,096 rows, however many rows there are; a batch has at least
    as many rows as there are clusters.

    Args:
        coordinates: Principal components, shape (n_rows, n_components).
        n_clusters: Clusters wanted, at most n_rows.
        random_state: Seed.
        checkpoint: Called before each batch; may raise to stop.

    Returns:
        Clusters by falling size, without empty ones.
    """
    generator = np.random.default_rng(random_state)
    # The first fit needs at least as many rows as clusters.
    size = min(max(BATCH_ROWS, n_clusters), len(coordinates))
    start = coordinates[choose_rows(len(coordinates), MINIBATCH_STARTS * size, random_state)]
    kmeans = MiniBatchKMeans(
        n_clusters, batch_size=size, n_init=MINIBATCH_STARTS, random_state=random_state
    )
    still = TOLERANCE * start.std()
    kmeans.partial_fit(start)
    for _ in range(MOST_BATCHES):
        checkpoint()
        before = kmeans.cluster_centers_.copy()
        kmeans.partial_fit(coordinates[generator.integers(len(coordinates), size=size)])
        if np.abs(kmeans.cluster_centers_ - before).max() <= still:
            break
    centroids = number_by_size(coordinates, kmeans.cluster_centers_)
    inertia = measure_inertia(coordinates, centroids, nearest(coordinates, centroids))
    return Clusters(centroids, inertia)
