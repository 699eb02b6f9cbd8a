"""Fitting a model: scale, principal components, clusters."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from shoal.shared.cores import count_cores
from shoal.shared.findings import ClusterChoice
from shoal.worker.clustering.clustering import Clustering
from shoal.worker.clustering.rows import Rows
from shoal.worker.model.components import Float64, ScaledRows, fit_components
from shoal.worker.model.map import fit_map
from shoal.worker.model.model import FittedModel


def fit_model(
    rows: Rows,
    mean: Float64,
    scale: Float64,
    clustering: Clustering,
    n_components: int,
    n_landmarks: int = 0,
) -> tuple[FittedModel, ClusterChoice | None]:
    """Fit StandardScaler, PCA and a clustering, as scikit-learn would, on all of ``rows``.

    The same arguments give the same bits, whatever the number of cores. There are at most as many
    components as rows and features, and at most as many clusters as distinct rows.

    Args:
        rows: uint8 or float, of shape (n_rows, n_features), in the order of the manifest.
        mean: Mean of each feature over all rows of the job, of which ``rows`` may be a sample;
            shape (n_features,). It is also the centre of the PCA: more exact than the mean of a
            sample, and the origin of every later projection.
        scale: Standard deviation of each feature, shape (n_features,); 0 counts as 1.
        clustering: How the clusters are fitted; the PCA uses its seed and checkpoint, too.
        n_components: Principal components to keep.
        n_landmarks: Rows that the map is laid out from at most; 0 for the first two components.

    Returns:
        The model, without the name of its features and their image size, which the caller sets;
        and how the number of clusters was chosen, None if it was given.

    Raises:
        JobFailedError: HDBSCAN found no cluster.
    """
    scale = np.where(scale > 0, scale, 1.0)
    # One thread each for BLAS and OpenMP, called from threads of our own: twice as fast as two BLAS
    # threads on idle cores and ten times on busy ones, and no pool that a fork could break. KMeans
    # needs this too: its threads add up their sums in the order in which they finish.
    with threadpool_limits(1), ThreadPoolExecutor(count_cores()) as pool:
        scaled = ScaledRows(rows, mean, scale, pool, clustering.checkpoint)
        pca = fit_components(scaled, n_components, clustering.random_state)
        # Beside the clusters: of several cores, it takes one that is idle most of the time.
        seed = clustering.random_state
        laid_out = pool.submit(fit_map, pca.coordinates, n_landmarks, seed)
        clusters = clustering.fit(pca.coordinates, rows)
        images = laid_out.result()
    model = FittedModel(
        mean=mean,
        scale=scale,
        components=pca.components,
        centroids=clusters.centroids,
        explained_variance=pca.explained_variance,
        explained_variance_ratio=pca.explained_variance_ratio,
        inertia=clusters.inertia,
        rows_fitted=len(rows),
        reference_coordinates=clusters.references.coordinates,
        reference_labels=clusters.references.labels,
        reference_radii=clusters.references.radii,
        map_landmarks=images.landmarks,
        map_positions=images.positions,
    )
    return model, clusters.choice
