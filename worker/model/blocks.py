"""Blocks: features of several extractors side by side, none of which may dominate.

Multiple factor analysis (Escofier and Pages 1994): each block is divided by its first singular
value, so that the largest variance along any one direction is the same in all of them. Without
it, 51 correlated colours beside 1,764 gradients decided the first components alone.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from shoal.shared.cores import count_cores
from shoal.worker.model.components import START_ROWS, Float64, ScaledRows

# Power iterations; the value is needed to a percent, and they approach it fast.
ITERATIONS = 20


def weigh_blocks(
    rows: NDArray[Any], mean: Float64, scale: Float64, widths: Sequence[int]
) -> Float64:
    """Return ``scale``, by which no block's first component outweighs another's.

    Args:
        rows: Shape (n_rows, n_features); some thousands of them are looked at.
        mean: Of each feature, shape (n_features,).
        scale: Standard deviations, shape (n_features,).
        widths: Columns of each block; one block is left as it is.
    """
    if len(widths) < 2:
        return scale
    some = rows[:: -(-len(rows) // START_ROWS)]
    ends = np.cumsum(widths)
    weights = [
        largest_deviation(
            some[:, end - width : end], mean[end - width : end], scale[end - width : end]
        )
        for width, end in zip(widths, ends, strict=True)
    ]
    weighed: Float64 = scale * np.repeat(weights, widths)
    return weighed


def largest_deviation(rows: NDArray[Any], mean: Float64, scale: Float64) -> float:
    """Return the standard deviation of the scaled rows along their first component.

    1.0 where the rows do not differ.
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
