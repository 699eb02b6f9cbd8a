"""Histograms of oriented gradients: images are alike if their outlines are.

N. Dalal and B. Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005.
"""

import math
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from shoal.shared.recipe.features import EXTRACTORS
from shoal.worker.extractors.cells import Cells
from shoal.worker.extractors.extractor import Extractor, Features, Images, extract_in_chunks
from shoal.worker.extractors.grey import make_grey

N_ORIENTATIONS = 9
N_CELLS = 8  # along each side
BLOCK_CELLS = 2  # along each side
# For the normalisation L2-Hys: no orientation counts more than this share of its block's norm.
CLIP = 0.2
EPSILON = 1e-5

STEEPEST = 255
WIDTH = 2 * STEEPEST + 1


def extract_hog(images: Images) -> Features:
    """Count the directions of gradients in cells, normalised in overlapping blocks of 2 × 2.

    Gives what scikit-image's ``hog`` does for each grey image, with its defaults for L2-Hys.

    Args:
        images: RGB of shape (n_samples, image_size, image_size, 3).

    Returns:
        Features of shape (n_samples, n_features), float32; n_features is 7 * 7 * 2 * 2 * 9 if
        ``image_size`` is a multiple of 8.
    """
    return extract_in_chunks(_describe_outlines, images)


def _describe_outlines(images: Images) -> Features:
    gradients = _measure_gradients(make_grey(images))
    orientations, magnitudes = _tabulate_gradients()
    cells = Cells.divide(images.shape[1], N_CELLS)
    histograms = cells.count(orientations[gradients], N_ORIENTATIONS, magnitudes[gradients])
    return _normalize_blocks(histograms)


def _measure_gradients(grey: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the index of each pixel's gradient in the tables; 0 across the images' edges.

    Args:
        grey: Values of 0 to 255, shape (n_samples, height, width).
    """
    rows, columns = np.zeros_like(grey), np.zeros_like(grey)
    np.subtract(grey[:, 2:], grey[:, :-2], out=rows[:, 1:-1])
    np.subtract(grey[:, :, 2:], grey[:, :, :-2], out=columns[:, :, 1:-1])
    return (rows + STEEPEST) * WIDTH + columns + STEEPEST


@cache
def _tabulate_gradients() -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Tabulate orientation and magnitude of every gradient that bytes can have, shape (WIDTH**2,).

    The orientation is the number of its bin.
    """
    steps = np.arange(-STEEPEST, STEEPEST + 1.0)
    rows, columns = np.meshgrid(steps, steps, indexing="ij")
    degrees = np.rad2deg(np.arctan2(rows, columns)) % 180
    orientations = (degrees // (180 / N_ORIENTATIONS)).astype(np.uint8)
    return orientations.ravel(), np.hypot(rows, columns).ravel()


def _normalize_blocks(histograms: NDArray[np.float64]) -> NDArray[np.float32]:
    """Scale each block of cells to length one; blocks overlap, so cells are repeated.

    Args:
        histograms: Shape (n_samples, n_cells, n_cells, N_ORIENTATIONS).

    Returns:
        Shape (n_samples, n_features).
    """
    side = min(BLOCK_CELLS, histograms.shape[1])
    windows = sliding_window_view(histograms, (side, side), (1, 2))
    blocks = np.moveaxis(windows, 3, -1).reshape(-1, side**2 * N_ORIENTATIONS)
    clipped = np.minimum(_scale_rows(blocks), CLIP)
    shape = (len(windows), math.prod(windows.shape[1:]))
    return _scale_rows(clipped).astype(np.float32).reshape(shape)


def _scale_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True) + EPSILON**2)
    scaled: NDArray[np.float64] = rows / lengths
    return scaled


HOG = Extractor("hog", EXTRACTORS["hog"].image_size, extract_hog)
