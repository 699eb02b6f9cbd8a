"""Local binary patterns: images are alike whose textures are.

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
# From the right, against the clock, as (row, column).
NEIGHBOURS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))
# A circle of radius one passes the diagonal neighbours at this share of a pixel, in 100,000ths.
DIAGONAL = 70_711
REST = 100_000 - DIAGONAL


def extract_lbp(images: Images) -> Features:
    """Count the uniform patterns of 8 neighbours in 4 × 4 cells.

    Square roots of shares (Hellinger), as in ``color``.

    Returns:
        Features of shape (n_samples, 4 * 4 * 10) where ``image_size`` divides by 4.
    """
    return extract_in_chunks(_count_patterns, images)


def _count_patterns(images: Images) -> Features:
    """Return the features of one chunk."""
    patterns = classify_patterns(make_grey(images))
    shares = Cells.divide(images.shape[1], N_CELLS).count(patterns, N_PATTERNS)
    return np.sqrt(shares).astype(np.float32).reshape(len(shares), math.prod(shares.shape[1:]))


def classify_patterns(grey: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return the uniform pattern of each pixel, 0 to 9; outside of an image is black.

    As scikit-image's ``local_binary_pattern`` with 8 points, radius 1 and method ``uniform``.
    In integers: neighbours of equal grey are equal, where rounding would tip the scales.
    """
    codes = np.zeros(grey.shape, np.uint8)
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)))
    for position, (row, column) in enumerate(NEIGHBOURS):
        codes |= _is_brighter(padded, row, column).astype(np.uint8) << np.uint8(position)
    return _tabulate_patterns()[codes]


def _is_brighter(padded: NDArray[np.int32], row: int, column: int) -> NDArray[np.bool_]:
    """Whether each pixel's neighbour on the circle is at least as bright as the pixel."""
    grey = _shift(padded, 0, 0)
    difference = _shift(padded, row, column) - grey
    if row and column:
        # Bilinear between four pixels, of which the pixel itself has a difference of 0.
        sides = _shift(padded, row, 0) + _shift(padded, 0, column) - 2 * grey
        difference = difference * DIAGONAL + sides * REST
    return difference >= 0


def _shift(padded: NDArray[np.int32], row: int, column: int) -> NDArray[np.int32]:
    """Return each pixel's neighbour, of images that have a margin of one."""
    _, height, width = padded.shape
    return padded[:, 1 + row : height - 1 + row, 1 + column : width - 1 + column]


@cache
def _tabulate_patterns() -> NDArray[np.uint8]:
    """Return the pattern of each code: its ones if they stand together, else 9."""
    codes = np.arange(2**N_NEIGHBOURS)[:, np.newaxis]
    bits = codes >> np.arange(N_NEIGHBOURS) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    return np.where(changes <= 2, bits.sum(axis=1), N_PATTERNS - 1).astype(np.uint8)


LBP = Extractor("lbp", EXTRACTORS["lbp"].image_size, extract_lbp)
