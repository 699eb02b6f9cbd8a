"""Local binary patterns: images are alike if their textures are.

T. Ojala, M. Pietikäinen and T. Mäenpää, Multiresolution Gray-Scale and Rotation Invariant Texture
Classification with Local Binary Patterns, IEEE TPAMI 24 (2002).
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shoal.shared.recipe.features import EXTRACTORS
from shoal.worker.extractors.cells import Cells
from shoal.worker.extractors.extractor import Extractor, Features, Images, extract_in_chunks
from shoal.worker.extractors.grey import make_grey

N_CELLS = 4  # along each side
N_NEIGHBOURS = 8
N_PATTERNS = N_NEIGHBOURS + 2
# From the right, counterclockwise, as (row, column).
NEIGHBOURS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))
# A circle of radius one passes the diagonal neighbours at this share of a pixel, in 100,000ths.
DIAGONAL = 70_711
REST = 100_000 - DIAGONAL


def extract_lbp(images: Images) -> Features:
    """Count the uniform patterns of 8 neighbours in 4 × 4 cells.

    The features are square roots of shares (Hellinger kernel), as in ``extract_color``.

    Args:
        images: RGB of shape (n_samples, image_size, image_size, 3).

    Returns:
        Features of shape (n_samples, n_features), float32; n_features is 4 * 4 * 10 if
        ``image_size`` is a multiple of 4.
    """
    return extract_in_chunks(_count_patterns, images)


def _count_patterns(images: Images) -> Features:
    patterns = classify_patterns(make_grey(images))
    shares = Cells.divide(images.shape[1], N_CELLS).count(patterns, N_PATTERNS)
    return np.sqrt(shares).astype(np.float32).reshape(len(shares), math.prod(shares.shape[1:]))


def classify_patterns(grey: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Classify the pattern around each pixel; the outside of an image counts as black.

    Gives what scikit-image's ``local_binary_pattern`` does with 8 points, radius 1 and method
    ``uniform``. It computes in integers: where neighbours have the same grey, rounding would decide
    which is brighter.

    Args:
        grey: Lightness of 0 to 255, shape (n_samples, height, width).

    Returns:
        The number of each pixel's uniform pattern, 0 to 9, of the same shape.
    """
    codes = np.zeros(grey.shape, np.uint8)
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)))
    for position, (row, column) in enumerate(NEIGHBOURS):
        codes |= _is_brighter(padded, row, column).astype(np.uint8) << np.uint8(position)
    return _tabulate_patterns()[codes]


def _is_brighter(padded: NDArray[np.int32], row: int, column: int) -> NDArray[np.bool_]:
    """Return whether each pixel's neighbour on the circle is at least as bright as the pixel."""
    grey = _shift(padded, 0, 0)
    difference = _shift(padded, row, column) - grey
    if row and column:
        # Bilinear between four pixels; the difference of the pixel to itself is 0.
        sides = _shift(padded, row, 0) + _shift(padded, 0, column) - 2 * grey
        difference = difference * DIAGONAL + sides * REST
    return difference >= 0


def _shift(padded: NDArray[np.int32], row: int, column: int) -> NDArray[np.int32]:
    """Return each pixel's neighbour; ``padded`` are images with a margin of one pixel."""
    _, height, width = padded.shape
    return padded[:, 1 + row : height - 1 + row, 1 + column : width - 1 + column]


@cache
def _tabulate_patterns() -> NDArray[np.uint8]:
    """Tabulate the pattern of each code: its number of ones if they are adjacent, else 9."""
    codes = np.arange(2**N_NEIGHBOURS)[:, np.newaxis]
    bits = codes >> np.arange(N_NEIGHBOURS) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    return np.where(changes <= 2, bits.sum(axis=1), N_PATTERNS - 1).astype(np.uint8)


LBP = Extractor("lbp", EXTRACTORS["lbp"].image_size, extract_lbp)
