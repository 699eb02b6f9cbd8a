"""References: rows whose clusters are known, by which others are labelled."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shoal.shared.findings import NOISE
from shoal.worker import Checkpoint
from shoal.worker.clustering.centroids import nearest

BLOCK_ROWS = 1024

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]


def no_coordinates() -> Float32:
    """Make the coordinates of zero references."""
    return np.empty((0, 0), np.float32)


def no_labels() -> Int32:
    """Make the labels of zero references."""
    return np.empty(0, np.int32)


def no_radii() -> Float32:
    """Make the radii of zero references."""
    return np.empty(0, np.float32)


@dataclass(frozen=True)
class References:
    """Rows whose clusters are known; empty if the nearest centroid decides about a row.

    Attributes:
        coordinates: First principal components, shape (n_references, n_dimensions).
        labels: Number of each one's cluster, -1 for noise; shape (n_references,).
        radii: Distance up to which a row belongs to the same cluster; shape (n_references,).
    """

    coordinates: Float32 = field(default_factory=no_coordinates)
    labels: Int32 = field(default_factory=no_labels)
    radii: Float32 = field(default_factory=no_radii)

    def label(self, coordinates: NDArray[Any], checkpoint: Checkpoint = lambda: None) -> Int32:
        """Label each row as its nearest reference, or -1 beyond that one's radius.

        A reference itself gets its own label.

        Args:
            coordinates: Principal components, at least those of the references,
                shape (n_rows, n_components).
            checkpoint: Called for every 1,024 rows; may raise to stop.

        Returns:
            Labels of shape (n_rows,).
        """
        # float64, to distinguish a reference from its close neighbours.
        known = self.coordinates.astype(np.float64)
        labels = np.empty(len(coordinates), np.int32)
        for start in range(0, len(coordinates), BLOCK_ROWS):
            checkpoint()
            rows = slice(start, start + BLOCK_ROWS)
            block = coordinates[rows, : known.shape[1]].astype(np.float64)
            closest = nearest(block, known)
            distances = np.linalg.norm(block - known[closest], axis=1).astype(np.float32)
            labels[rows] = np.where(distances <= self.radii[closest], self.labels[closest], NOISE)
        return labels
