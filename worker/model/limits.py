"""Limits: how far from its cluster an image may be before it is far from all."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shoal.shared.findings import NOISE
from shoal.worker import Checkpoint
from shoal.worker.clustering.rows import Rows, limit_rows
from shoal.worker.model.model import FittedModel

# Rows that are measured: 160 MB of embeddings, and a second.
MEASURED_ROWS = 2**15
BLOCK_ROWS = 2048
# Quartiles of fewer distances say little: such a cluster takes those of all.
FEWEST_OF_A_CLUSTER = 8
REACH = 1.5


def set_limits(
    model: FittedModel, rows: Rows, checkpoint: Checkpoint = lambda: None
) -> FittedModel:
    """Set the distances beyond which rows are far, from those of the rows that were fitted.

    A cluster's limit is the upper fence of its own rows: their third quartile, and one and a half
    times the distance between the quartiles (J. W. Tukey, Exploratory Data Analysis, 1977). Images
    that do not belong there move it little, unlike the largest distance.

    Args:
        model: As it was fitted.
        rows: The rows fitted, shape (n_rows, n_features); of many, an even sample is measured.
        checkpoint: Called for every 2,048 rows at most; may raise to stop.
    """
    step = -(-len(rows) // MEASURED_ROWS)
    length = step * limit_rows(rows, BLOCK_ROWS)
    parts = [_measure(model, np.empty((0, rows.shape[1]), rows.dtype))]
    for start in range(0, len(rows), length):
        checkpoint()
        # Not all of the sample at once: it may be all rows, which are mapped from files.
        parts.append(_measure(model, rows[start : start + length : step]))
    labels, distances = (np.concatenate(column) for column in zip(*parts, strict=True))
    of_all = _find_fence(distances)
    limits = np.full(len(model.centroids), of_all, np.float32)
    for label in range(len(limits)):
        own = distances[labels == label]
        if len(own) >= FEWEST_OF_A_CLUSTER:
            limits[label] = _find_fence(own)
    return replace(model, distance_limits=limits)


def _measure(
    model: FittedModel, rows: NDArray[np.generic]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the label and the distance of each row that is in a cluster."""
    labelled = model.label(rows)
    inside = labelled.labels != NOISE
    return labelled.labels[inside], labelled.row_distances[inside]


def _find_fence(distances: NDArray[np.float32]) -> float:
    if not len(distances):
        return 0.0
    low, high = np.quantile(distances.astype(np.float64), (0.25, 0.75))
    return float(high + REACH * (high - low))
