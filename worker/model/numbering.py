"""Numbering: clusters by falling number of images, or as they are given."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shoal.shared.findings import NOISE
from shoal.worker import Checkpoint
from shoal.worker.clustering.references import no_radii
from shoal.worker.clustering.rows import Rows, limit_rows
from shoal.worker.model.model import FittedModel

LABELLED_ROWS = 8192


def number_by_size(
    model: FittedModel,
    images: Iterable[Rows],
    checkpoint: Checkpoint = lambda: None,
    *,
    are_projected: bool = False,
) -> FittedModel:
    """Number the clusters of a model by how many images they have, largest first.

    Clusters of the same size stay in the order in which they are.

    Args:
        model: As it was fitted, whichever algorithm made its clusters.
        images: The features to count, in parts of shape (n_samples, n_features).
        checkpoint: Called for every 8,192 rows at most; may raise to stop.
        are_projected: Whether ``images`` has coordinates instead.
    """
    label = model.label_projected if are_projected else model.label
    sizes = np.zeros(len(model.centroids), np.int64)
    for part in images:
        n_rows = limit_rows(part, LABELLED_ROWS)
        for start in range(0, len(part), n_rows):
            checkpoint()
            labels = label(part[start : start + n_rows]).labels
            sizes += np.bincount(labels[labels != NOISE], minlength=len(sizes))
    numbers = np.empty(len(sizes), np.int64)
    numbers[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return renumber(model, numbers)


def renumber(model: FittedModel, numbers: NDArray[np.int64]) -> FittedModel:
    """Give the clusters of a model other numbers.

    Args:
        model: As it was fitted, whichever algorithm made its clusters.
        numbers: The new number of each cluster, a permutation; shape (n_clusters,).
    """
    with_noise = np.append(numbers, NOISE).astype(np.int32)  # the last one is for the label -1
    order = np.argsort(numbers)
    return replace(
        model,
        centroids=model.centroids[order],
        distance_limits=model.distance_limits[order] if len(model.distance_limits) else no_radii(),
        reference_labels=with_noise[model.reference_labels],
    )
