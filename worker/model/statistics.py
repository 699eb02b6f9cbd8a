"""Statistics of features: sums from which their means and scales are computed."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FeatureStatistics:
    """Sums over rows of features, which can be added and give means and variances.

    Sums of bytes stay below 2**53 for up to 10**11 images, so that float64 holds them exactly:
    the result does not depend on the order of rows or their split into batches. Sums of float32
    do, in their last bits.

    Attributes:
        n_samples: Number of rows.
        total: Sum of each feature, of shape (n_features,).
        total_of_squares: Sum of each feature's squares, of shape (n_features,).
    """

    n_samples: int
    total: NDArray[np.float64]
    total_of_squares: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[Any]) -> Self:
        """Compute the statistics of features of shape (n_samples, n_features)."""
        if features.dtype == np.uint8:
            # Integers are exact too, and take half the time.
            sums = np.uint32 if len(features) * 255**2 < 2**32 else np.uint64
            total = features.sum(axis=0, dtype=sums)
            squares = np.square(features, dtype=np.uint16).sum(axis=0, dtype=sums)
            return cls(len(features), total.astype(np.float64), squares.astype(np.float64))
        # Both convert to float64 in small pieces: a whole copy would take twice the memory.
        total = features.sum(axis=0, dtype=np.float64)
        squares = np.einsum("ij,ij->j", features, features, dtype=np.float64)
        return cls(len(features), total, squares)

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.n_samples + other.n_samples,
            self.total + other.total,
            self.total_of_squares + other.total_of_squares,
        )

    def mean(self) -> NDArray[np.float64]:
        """Compute each feature's mean, of shape (n_features,)."""
        return self.total / self.n_samples

    def variance(self) -> NDArray[np.float64]:
        """Compute each feature's variance, of shape (n_features,)."""
        spread = self.n_samples * self.total_of_squares - self.total**2
        return np.asarray(spread.clip(0) / self.n_samples**2)

    def scale(self, noise: float = 0.0) -> NDArray[np.float64]:
        """Compute what scikit-learn's StandardScaler divides by, of shape (n_features,).

        It is the population's standard deviation, and 1.0 for a constant feature.

        Args:
            noise: A variance below this share of the mean square counts as rounding: the feature
                is taken to be constant.
        """
        # From the sums and not from the mean: for a constant feature, both products are the same
        # number, rounded once, and their difference is exactly 0.
        spread = self.n_samples * self.total_of_squares - self.total**2
        least = noise * self.n_samples * self.total_of_squares
        return np.where(spread > least, np.sqrt(spread.clip(0)) / self.n_samples, 1.0)

    def to_bytes(self) -> bytes:
        """Write n_samples, total, total_of_squares: as raw uint32 if that is exact, or float64."""
        # Sums of a batch of bytes take half as much: beside few small images, they are most of
        # what Redis gets of a batch.
        values = np.concatenate([[self.n_samples], self.total, self.total_of_squares])
        if values.min() >= 0 and values.max() < 2**32:
            compact = values.astype(np.uint32)
            if np.array_equal(compact, values):
                return compact.tobytes()
        return values.tobytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read statistics that ``to_bytes`` wrote.

        Raises:
            ValueError: The bytes are not such numbers.
        """
        # There is an odd number of them: half as many float64 would not be a whole number.
        dtype = np.uint32 if len(content) % 8 == 4 else np.float64
        values = np.frombuffer(content, dtype).astype(np.float64)
        if not (len(values) % 2 and np.isfinite(values[0])):
            raise ValueError(f"these {len(content)} bytes are not statistics")
        total, squares = np.split(values[1:], 2)
        return cls(int(values[0]), total, squares)
