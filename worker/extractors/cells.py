"""Cells: an image as a grid of squares, and what is counted in each."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cells:
    """A grid of square cells; pixels beyond the last whole cell are left out.

    Attributes:
        cell_pixels: Width and height of a cell.
        n_cells: Cells along each side.
    """

    cell_pixels: int
    n_cells: int

    @classmethod
    def divide(cls, image_size: int, n_cells: int) -> Self:
        """Return about ``n_cells`` along each side: features do not grow with the images."""
        cell_pixels = max(1, round(image_size / n_cells))
        return cls(cell_pixels, image_size // cell_pixels)

    def count(
        self, bins: NDArray[Any], n_bins: int, weights: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the histogram of each cell, as shares of its pixels.

        Args:
            bins: The bin of each pixel, of shape (n_samples, image_size, image_size).
            n_bins: Bins there are.
            weights: What each pixel counts, of the same shape; 1 where None.

        Returns:
            Histograms of shape (n_samples, n_cells, n_cells, n_bins).
        """
        side = self.cell_pixels * self.n_cells
        places = self.offsets(len(bins), n_bins) + bins[:, :side, :side]
        counted = None if weights is None else weights[:, :side, :side].ravel()
        # Adds pixel by pixel, in order: no other image shows in the last bit of a sum.
        sums = np.bincount(places.ravel(), counted, len(bins) * self.n_cells**2 * n_bins)
        shape = (len(bins), self.n_cells, self.n_cells, n_bins)
        return sums.reshape(shape) / self.cell_pixels**2

    def offsets(self, n_samples: int, n_bins: int) -> NDArray[np.intp]:
        """Return where the histogram of each pixel's cell begins."""
        line = np.arange(self.cell_pixels * self.n_cells) // self.cell_pixels
        cells = line[:, np.newaxis] * self.n_cells + line
        images = np.arange(n_samples)[:, np.newaxis, np.newaxis] * self.n_cells**2
        return (images + cells) * n_bins
