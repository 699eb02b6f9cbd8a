"""Fit a model: scale, principal components, KMeans."""

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from shared.cores import count_cores
from worker.components import Float64, ScaledRows, fit_components
from worker.model import Model, nearest

KMEANS_ITERATIONS = 300
KMEANS_TOLERANCE = 1e-4  # of the variance; both as scikit-learn has them
KMEANS_STEP = 2e10  # multiplications without a checkpoint: at most 15 s, in most fits under 2 s


def fit_model(
    rows: NDArray[Any],
    mean: Float64,
    scale: Float64,
    *,
    n_components: int,
    n_clusters: int | Callable[[Float64], int],
    random_state: int,
    n_init: int = 1,
    checkpoint: Callable[[], None] = lambda: None,
) -> Model:
    """Fit StandardScaler, PCA and KMeans, as scikit-learn would, on all of ``rows``.

    The same arguments give the same bits, whatever the number of cores. Components and clusters
    are at most as many as the rows (and features) allow; rows with fewer distinct values than
    ``n_clusters`` give fewer clusters.

    Args:
        rows: uint8 or float, of shape (n_rows, n_features), in the order of the manifest.
        mean: Of each feature over all rows of the job, of which ``rows`` may be a sample. It is
            the centre of the PCA too: more exact than a sample's own, and the origin of every
            later projection. Shape (n_features,).
        scale: Standard deviations, as ``mean``; 0 counts as 1.
        n_components: Principal components to keep.
        n_clusters: Clusters to find, numbered by size, ties by centroid; or what chooses their
            number by the coordinates of the rows, of shape (n_rows, n_components).
        random_state: Seed of the PCA and of the KMeans.
        n_init: Starts of the KMeans, of which the best counts.
        checkpoint: Called between steps, most of a second or two at most; may raise to stop.

    Returns:
        The model, without the name of its features and without their image size.
    """
    scale = np.where(scale > 0, scale, 1.0)
    # One thread for BLAS and OpenMP each, and our own above them: measured twice as fast as two
    # BLAS threads on idle cores and ten times on busy ones, and no pool that a fork could break.
    # It holds for KMeans too, whose threads add up their sums in the order in which they finish.
    with threadpool_limits(1), ThreadPoolExecutor(count_cores()) as pool:
        scaled = ScaledRows(rows, mean, scale, pool, checkpoint)
        pca = fit_components(scaled, n_components, random_state)
        wanted = n_clusters(pca.coordinates) if callable(n_clusters) else n_clusters
        found = count_distinct(rows, wanted)
        # The first seed is that of scikit-learn's only start.
        fits = [
            find_clusters(pca.coordinates, found, seed % 2**32, checkpoint)
            for seed in range(random_state, random_state + n_init)
        ]
    centroids, inertia = min(fits, key=itemgetter(1))
    return Model(
        mean=mean,
        scale=scale,
        components=pca.components,
        centroids=centroids,
        explained_variance=pca.explained_variance,
        explained_variance_ratio=pca.explained_variance_ratio,
        inertia=inertia,
        rows_fitted=len(rows),
    )


def find_clusters(
    coordinates: Float64, n_clusters: int, random_state: int, checkpoint: Callable[[], None]
) -> tuple[Float64, float]:
    """Return scikit-learn's centroids, largest cluster first and without empty ones, and inertia.

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
    return number_by_size(coordinates, centroids + origin), float(kmeans.inertia_)


def number_by_size(coordinates: Float64, centroids: Float64) -> Float64:
    """Return the centroids that have rows, largest first; equals in the order of their values."""
    centroids = np.unique(centroids, axis=0)
    sizes = np.bincount(nearest(coordinates, centroids), minlength=len(centroids))
    by_size = np.argsort(-sizes, kind="stable")
    return centroids[by_size[sizes[by_size] > 0]]


def count_distinct(rows: NDArray[Any], most: int) -> int:
    """Return how many rows differ, or ``most`` as soon as that many do.

    Of the rows and not of their coordinates: in those, equal rows can differ in the last bit.
    """
    distinct: set[int] = set()
    for row in rows:
        distinct.add(hash(row.tobytes()))
        if len(distinct) == most:
            break
    return len(distinct)
