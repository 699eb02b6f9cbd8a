"""The fit of a job: how many rows, components and axes it has.

The producer estimates by these rules what a job will take, and the worker fits by them.
"""

from dataclasses import dataclass

from shoal.shared.jobs import AUTO, Algorithm, JobRequest
from shoal.shared.recipe.features import are_slow

DEFAULT_COMPONENTS = 50
# Up to here the covariance matrix is made, and costs less than iterating.
EXACT_FEATURES = 1000
# Axes that subspace iteration has beyond the components that it is to find.
OVERSAMPLES = 30
# What the fit holds for each row and component: its coordinate, twice.
COORDINATE_BYTES = 16
# Images from which the map is laid out at most: 5 s of one core, which is as long as some hundreds
# take to be loaded if extraction is slow.
LANDMARKS = 3000
# Where it is fast, one of so many, and not fewer than 300: a twentieth of the time to load them.
LANDMARK_SHARE = 60
FEWEST_LANDMARKS = 300
# Starts of KMeans: an embedding's few far images led one of five astray.
KMEANS_STARTS = 10


@dataclass(frozen=True)
class FitSize:
    """The size of a fit.

    Attributes:
        n_rows: Images that the model is fitted on: all, or a sample where they exceed the memory.
        n_components: Principal components.
        n_axes: Axes that the rows are projected on, from which the components are made.
    """

    n_rows: int
    n_components: int
    n_axes: int


def plan_fit(
    request: JobRequest, n_images: int, n_features: int, itemsize: int, fit_memory: int
) -> FitSize:
    """Return the size that a job's fit has.

    Args:
        request: What is asked for.
        n_images: Images loaded; before that, all of the job.
        n_features: Features of each.
        itemsize: Bytes of one feature.
        fit_memory: Bytes that the rows and their coordinates may take.
    """
    n_components = min(request.components or DEFAULT_COMPONENTS, n_images, n_features)
    row_bytes = n_features * itemsize + COORDINATE_BYTES * n_components
    most = max(fit_memory // row_bytes, least_images(request), n_components)
    return FitSize(min(n_images, most), n_components, count_axes(n_components, n_features))


def count_axes(n_components: int, n_features: int) -> int:
    """Return how many axes the components are made from; with few features, the components."""
    if n_features <= EXACT_FEATURES:
        return n_components
    return min(n_components + OVERSAMPLES, n_features)


def least_images(request: JobRequest) -> int:
    """Return how many images a job's clusters need at least."""
    return 1 if request.clusters == AUTO else request.clusters


def follows_tutorial(request: JobRequest) -> bool:
    """Return whether a job gives the labels of scikit-learn's tutorial on all of its images.

    That is pixels in a given number of clusters by KMeans.
    """
    is_given = request.clusters != AUTO and request.algorithm is Algorithm.KMEANS
    return request.features == "pixels" and is_given


def count_landmarks(request: JobRequest, n_images: int) -> int:
    """Return how many images the map is laid out from; 0 where two components are the map."""
    if follows_tutorial(request):
        return 0
    if are_slow(request.features):
        return LANDMARKS
    return min(max(n_images // LANDMARK_SHARE, FEWEST_LANDMARKS), LANDMARKS)


def count_starts(request: JobRequest) -> int:
    """Return how many starts KMeans has, the best of which counts; the tutorial has one."""
    return 1 if follows_tutorial(request) else KMEANS_STARTS
