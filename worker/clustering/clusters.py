"""The result of a clustering algorithm."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shoal.shared.findings import NOISE, ClusterChoice
from shoal.worker import Checkpoint
from shoal.worker.clustering.centroids import Float64, measure_inertia
from shoal.worker.clustering.references import References


@dataclass(frozen=True)
class Clusters:
    """Clusters among rows of principal components.

    Attributes:
        centroids: Centres of the clusters by falling size, shape (n_clusters, n_components).
        inertia: Sum of squared distances of the rows to their centroids.
        references: Rows by which others are labelled; empty if the nearest centroid decides.
        choice: How the number of clusters was chosen; None if it was given.
    """

    centroids: NDArray[np.float64]
    inertia: float
    references: References = field(default_factory=References)
    choice: ClusterChoice | None = None


def number_references(
    coordinates: Float64, references: References, checkpoint: Checkpoint
) -> Clusters:
    """Make the clusters of references, numbered by falling number of rows.

    Args:
        coordinates: The rows, shape (n_rows, n_components).
        references: By which the rows are labelled.
        checkpoint: Called for every 1,024 rows; may raise to stop.

    Returns:
        The clusters that have rows, with the mean of these as centroid.
    """
    labels = references.label(coordinates, checkpoint)
    sizes = np.bincount(labels[labels >= 0], minlength=int(references.labels.max()) + 1)
    by_size = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    numbers = np.full(len(sizes) + 1, NOISE)  # the last one is for the label -1
    numbers[by_size] = np.arange(len(by_size))
    labels = numbers[labels].astype(np.int32)
    centroids = np.stack([coordinates[labels == n].mean(axis=0) for n in range(len(by_size))])
    known = References(
        references.coordinates, numbers[references.labels].astype(np.int32), references.radii
    )
    return Clusters(centroids, measure_inertia(coordinates, centroids, labels), known)
