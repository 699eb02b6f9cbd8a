"""Cells: an image as a grid of squares, with a histogram of each."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cells:
    """A grid of square cells; pixels after the last whole cell are left out.

    Attributes:
        cell_pixels: Width and height of a cell.
        n_cells: Cells along each side.
    """

    cell_pixels: int
    n_cells: int

    @classmethod
    def divide(cls, image_size: int, n_cells: int) -> Self:
        """Divide images into about ``n_cells`` along each side, however large the images are."""
        cell_pixels = max(1, round(image_size / n_cells))
        return cls(cell_pixels, image_size // cell_pixels)

    def count(
        self, bins: NDArray[Any], n_bins: int, weights: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Count a histogram of each cell, as shares of its pixels.

        Args:
            bins: The bin of each pixel, shape (n_samples, image_size, image_size).
            n_bins: Number of bins.
            weights: The weight of each pixel, of the same shape; None: each counts 1.

        Returns:
            Histograms of shape (n_samples, n_cells, n_cells, n_bins).
        """
        side = self.cell_pixels * self.n_cells
        places = self._offsets(len(bins), n_bins) + bins[:, :side, :side]
        counted = None if weights is None else weights[:, :side, :side].ravel()
        # It adds pixel by pixel, in order: no other image changes the last bit of a sum.
        sums = np.bincount(places.ravel(), counted, len(bins) * self.n_cells**2 * n_bins)
        shape = (len(bins), self.n_cells, self.n_cells, n_bins)
        return sums.reshape(shape) / self.cell_pixels**2

    def _offsets(self, n_samples: int, n_bins: int) -> NDArray[np.intp]:
        """Return where the histogram of each pixel's cell starts, (n_samples, side, side)."""
        line = np.arange(self.cell_pixels * self.n_cells) // self.cell_pixels
        cells = line[:, np.newaxis] * self.n_cells + line
        images = np.arange(n_samples)[:, np.newaxis, np.newaxis] * self.n_cells**2
        return (images + cells) * n_bins
