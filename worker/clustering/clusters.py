"""The result of a clustering algorithm."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shoal.shared.findings import ClusterChoice
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
