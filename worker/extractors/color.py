"""Colour: images are alike if they have the same colours, wherever in the image."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from shoal.shared.recipe.features import EXTRACTORS
from shoal.worker.extractors.cells import Cells
from shoal.worker.extractors.extractor import Extractor, Features, Images, extract_in_chunks

# An odd number, so that greys fall into the middle of a bin of a* and b*. Joint bins of all
# three were no better (tiles of 15 photographs: NMI 0.60 at best, 0.62 with separate ones).
N_BINS = 17
# The range of L*, a* and b*; values outside count in the outermost bin.
LOWEST = np.array([0, -60, -60])
HIGHEST = np.array([100, 60, 60])

# Colours are looked up in steps of four: a table of 2**18; one of 2**24 would take seconds.
STEP_BITS = 2
LEVELS = 2 ** (8 - STEP_BITS)


def extract_color(images: Images) -> Features:
    """Count how often each L*, a* and b* occurs in an image (CIELAB).

    The features are square roots of shares (Hellinger kernel; R. Arandjelović and A. Zisserman,
    Three things everyone should know to improve object retrieval, CVPR 2012), so that rare
    colours still count next to a large background.

    Args:
        images: RGB of shape (n_samples, image_size, image_size, 3).

    Returns:
        Features of shape (n_samples, 51), float32.
    """
    return extract_in_chunks(_count_colors, images)


def _count_colors(images: Images) -> Features:
    red, green, blue = np.moveaxis(images >> STEP_BITS, -1, 0).astype(np.int32)
    colors = (red * LEVELS + green) * LEVELS + blue
    whole = Cells.divide(images.shape[1], 1)
    shares = [whole.count(bins[colors], N_BINS)[:, 0, 0] for bins in _tabulate_bins()]
    return np.sqrt(np.concatenate(shares, axis=1)).astype(np.float32)


@cache
def _tabulate_bins() -> NDArray[np.uint8]:
    """Tabulate the bins of L*, a* and b* of every colour, of shape (3, LEVELS**3)."""
    # scikit-image is slow to import, and other extractors do without it.
    from skimage.color import rgb2lab

    middles = ((np.arange(LEVELS) + 0.5) * 2**STEP_BITS / 256).astype(np.float32)
    colors = np.stack(np.meshgrid(middles, middles, middles, indexing="ij"), axis=-1)
    shares = (rgb2lab(colors).reshape(-1, 3) - LOWEST) / (HIGHEST - LOWEST)
    bins: NDArray[np.uint8] = np.clip(shares.T * N_BINS, 0, N_BINS - 1).astype(np.uint8)
    return bins


COLOR = Extractor("color", EXTRACTORS["color"].image_size, extract_color)
