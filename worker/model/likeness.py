"""Likeness: how far apart the features of two images are, compared with those of any two."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shoal.shared.recipe.features import are_standardized
from shoal.worker.model.statistics import FeatureStatistics

# 16 MB of float64: rows of pixels may have hundreds of thousands.
COMPARED_VALUES = 2**21
# A variance that is a smaller share of the mean square is rounding of float32.
ROUNDING = 1e-10

Float64 = NDArray[np.float64]


class Likeness:
    """Compares rows of features.

    Args:
        statistics: Of all rows.
        features: The extractors, as in a job's request.
        widths: Number of columns of each.
    """

    def __init__(self, statistics: FeatureStatistics, features: str, widths: Sequence[int]) -> None:
        inverse = statistics.scale(ROUNDING) ** -2
        self.weights = np.where(np.repeat(are_standardized(features), widths), inverse, 1.0)
        self.starts = np.cumsum([0, *widths[:-1]])
        # Half of the mean squared distance of two rows drawn at random.
        self.spread = np.add.reduceat(self.weights * statistics.variance(), self.starts)

    def measure(self, rows: NDArray[Any], others: NDArray[Any], pairs: NDArray[np.intp]) -> Float64:
        """Measure how different each of ``rows`` is from one of ``others``.

        Args:
            rows: Shape (n_rows, n_features).
            others: Shape (n_others, n_features).
            pairs: Number of the other of each row, shape (n_rows,).

        Returns:
            The squared distance as a share of that of any two rows of the job, of whichever
            extractor it is largest; 0 for equal rows, about 1 for any two; shape (n_rows,).
        """
        differences = np.zeros(len(rows))
        n_compared = max(1, COMPARED_VALUES // len(self.weights))
        for start in range(0, len(rows), n_compared):
            part = slice(start, start + n_compared)
            squares = np.subtract(rows[part], others[pairs[part]], dtype=np.float64) ** 2
            sums = np.add.reduceat(squares * self.weights, self.starts, axis=1)
            shares = np.divide(sums, 2 * self.spread, out=np.zeros_like(sums), where=sums > 0)
            differences[part] = shares.max(axis=1)
        return differences
