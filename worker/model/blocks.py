"""Blocks: the features of several extractors side by side, none of which may dominate.

Multiple factor analysis (B. Escofier and J. Pagès, Multiple factor analysis (AFMULT package),
CSDA 18, 1994): each block is divided by its first singular value, so that the largest variance
along any direction is the same in all blocks. Without it, 51 correlated colours decided the first
components alone, against 1,764 gradients.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from shoal.shared.cores import count_cores
from shoal.shared.recipe.features import are_standardized, list_weights
from shoal.worker.clustering.rows import Rows
from shoal.worker.model.components import START_ROWS, Float64, ScaledRows
from shoal.worker.model.statistics import FeatureStatistics

# Power iterations: they converge fast, and the value is needed to one percent only.
ITERATIONS = 20
# A variance that is a smaller share of the mean square is rounding: the feature is constant.
ROUNDING = {"float32": 1e-10}


def choose_scale(
    rows: Rows, statistics: FeatureStatistics, features: str, widths: Sequence[int]
) -> Float64:
    """Choose what each feature is divided by before the PCA.

    It is the standard deviation where the extractor's features are standardized, else 1. Several
    extractors are weighed: the first components of all blocks have the same variance, times the
    square of the extractor's weight.

    Args:
        rows: Shape (n_rows, n_features); a few thousand of them are used.
        statistics: Of all rows.
        features: The extractors, as in a job's request.
        widths: Number of columns of each.

    Returns:
        Shape (n_features,).
    """
    deviations = statistics.scale(ROUNDING.get(rows.dtype.name, 0.0))
    scale = np.where(np.repeat(are_standardized(features), widths), deviations, 1.0)
    if len(widths) < 2:
        return scale
    mean = statistics.mean()
    some = rows[:: -(-len(rows) // START_ROWS)]
    ends = np.cumsum(widths)
    largest = [
        largest_deviation(some[:, block], mean[block], scale[block])
        for block in map(slice, ends - widths, ends)
    ]
    weighed: Float64 = scale * np.repeat(np.divide(largest, list_weights(features)), widths)
    return weighed


def largest_deviation(rows: NDArray[Any], mean: Float64, scale: Float64) -> float:
    """Measure the standard deviation of the scaled rows along their first component.

    Args:
        rows: Shape (n_rows, n_features).
        mean: Mean of each feature, shape (n_features,).
        scale: Divisor of each feature, shape (n_features,).

    Returns:
        The standard deviation; 1.0 if all rows are equal.
    """
    with threadpool_limits(1), ThreadPoolExecutor(count_cores()) as pool:
        scaled = ScaledRows(rows, mean, scale, pool, lambda: None)
        axis = np.random.default_rng(0).standard_normal((rows.shape[1], 1), np.float32)
        variance = 0.0
        for _ in range(ITERATIONS):
            norm = float(np.linalg.norm(axis))
            if norm == 0:
                return 1.0
            axis = scaled.covariance_times(axis / np.float32(norm)) / np.float32(len(rows))
            variance = float(np.linalg.norm(axis))
    return float(np.sqrt(variance)) or 1.0
