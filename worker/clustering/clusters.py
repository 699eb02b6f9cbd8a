"""What an algorithm found."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shoal.shared.findings import ClusterChoice
from shoal.worker.clustering.references import References


@dataclass(frozen=True)
class Clusters:
    """Clusters among rows of principal components.

    Attributes:
        centroids: By falling cluster size, shape (n_clusters, n_components).
        inertia: Sum of squared distances of the rows to their centroids.
        references: Rows that tell the cluster of others; none where the nearest centroid does.
        choice: How their number was chosen; None where it was given.
    """

    centroids: NDArray[np.float64]
    inertia: float
    references: References = field(default_factory=References)
    choice: ClusterChoice | None = None
