"""Reclustering: other clusters among the coordinates that another job has of its images.

Scale and components stay those of that job. So its model, with other centroids, labels images that
neither job has.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from shoal.shared.errors import JobFailedError
from shoal.shared.findings import ClusterChoice
from shoal.shared.jobs import JobRequest
from shoal.shared.recipe.features import feature_bytes
from shoal.shared.recipe.fit import count_landmarks, follows_tutorial, plan_fit
from shoal.shared.store import Results
from shoal.worker import Checkpoint
from shoal.worker.clustering.references import no_radii
from shoal.worker.clustering.sampling import choose_rows
from shoal.worker.model.map import Map, fit_map
from shoal.worker.model.model import FittedModel
from shoal.worker.model.numbering import number_by_size
from shoal.worker.stages.clusterings import LEAST_DISTINCT, check_enough, make_clustering
from shoal.worker.stages.copies import list_known_copies
from shoal.worker.stages.feature_rows import FeatureRows

# Of the length of a row of features: copies differ in the last bits of float32.
ROUNDING_OF_FEATURES = 1e-7

Float32 = NDArray[np.float32]


def cluster_coordinates(
    results: Results,
    earlier: Results,
    request: JobRequest,
    fit_memory: int,
    checkpoint: Checkpoint,
) -> tuple[FittedModel, ClusterChoice | None]:
    """Find clusters among coordinates; with the other job's options, they are that job's clusters.

    As many images are looked at as by that job's fit, the same ones with the same seed.

    Args:
        results: Of the job, whose rows are the coordinates.
        earlier: Of the job that computed them.
        request: Of the job.
        fit_memory: Bytes that the features and coordinates of the images would take.
        checkpoint: Called between steps; may raise to stop.

    Returns:
        The model, numbered by size; and how the number of clusters was chosen, if it was.

    Raises:
        JobFailedError: The images are too few for what was asked, or HDBSCAN found no cluster.
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    given = results.given_model()
    if given is None:
        raise JobFailedError("The model of the coordinates is gone: cluster them anew.")
    shapes, projection = results.shapes(), FittedModel.from_bytes(given)
    n_rows = sum(shape.rows for shape in shapes)
    check_enough(n_rows, request, results.job_id)
    n_features, itemsize = len(projection.mean), feature_bytes(request.features)
    size = plan_fit(request, n_rows, n_features, itemsize, fit_memory)
    chosen = choose_rows(n_rows, size.n_rows, request.random_state)
    rows = FeatureRows(results, shapes, checkpoint)
    coordinates = np.asarray(rows.read(chosen), np.float32)
    copies = np.empty(0, np.intp)
    if not follows_tutorial(request):  # as in any fit
        near = results.near_copies() or earlier.near_copies()
        results.put_near_copies(near)
        copies = list_known_copies(results, rows.split(chosen), near)
    return _fit_without(coordinates, copies, projection, request, checkpoint)


def _fit_without(
    coordinates: Float32,
    copies: NDArray[np.intp],
    projection: FittedModel,
    request: JobRequest,
    checkpoint: Checkpoint,
) -> tuple[FittedModel, ClusterChoice | None]:
    """Fit the rows that are no ``copies``, if these are enough; number the clusters by all."""
    distinct = np.delete(coordinates, copies, axis=0)
    if not len(copies) or len(distinct) < max(LEAST_DISTINCT, request.components or 0):
        return _fit(coordinates, projection, request, checkpoint)
    try:
        model, choice = _fit(distinct, projection, request, checkpoint)
    except JobFailedError:
        # Where HDBSCAN finds no cluster among different images, groups of copies are clusters.
        return _fit(coordinates, projection, request, checkpoint)
    parts = (distinct, coordinates[copies])
    return number_by_size(model, parts, checkpoint, are_projected=True), choice


def _fit(
    coordinates: Float32, projection: FittedModel, request: JobRequest, checkpoint: Checkpoint
) -> tuple[FittedModel, ClusterChoice | None]:
    # scikit-learn takes 2 s to import, and most processes never fit a model.
    from shoal.worker.clustering.distinct import round_coordinates

    n_components, clustering = coordinates.shape[1], make_clustering(request, checkpoint)
    length = float(np.linalg.norm(projection.mean / projection.scale))
    rounded = round_coordinates(coordinates, ROUNDING_OF_FEATURES * length)
    with threadpool_limits(1):  # as in ``fit_model``: sums in one order
        clusters = clustering.fit(coordinates.astype(np.float64), rounded)
    images = _lay_out(coordinates, projection, request)
    model = replace(
        projection,
        components=projection.components[:n_components],
        explained_variance=projection.explained_variance[:n_components],
        explained_variance_ratio=projection.explained_variance_ratio[:n_components],
        centroids=clusters.centroids,
        inertia=clusters.inertia,
        rows_fitted=len(coordinates),
        reference_coordinates=clusters.references.coordinates,
        reference_labels=clusters.references.labels,
        reference_radii=clusters.references.radii,
        # Those of the other clusters; these need the features, which are not here.
        distance_limits=no_radii(),
        map_landmarks=images.landmarks,
        map_positions=images.positions,
    )
    return model, clusters.choice


def _lay_out(coordinates: Float32, projection: FittedModel, request: JobRequest) -> Map:
    """Return the map of the job before, or one of the part of its coordinates that is clustered."""
    if request.cluster is None and coordinates.shape[1] == len(projection.components):
        return Map(projection.map_landmarks, projection.map_positions)
    n_landmarks = count_landmarks(request, len(coordinates))
    return fit_map(coordinates, n_landmarks, request.random_state)
