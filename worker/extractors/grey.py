"""Grey: the lightness from which gradients and textures are computed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Luma of ITU-R BT.601-2 in 65536ths, as Pillow uses for mode L.
RED, GREEN, BLUE = 19595, 38470, 7471
HALF = 2**15


def make_grey(images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Convert RGB images to lightness, in integers: an image without colour keeps its values.

    Args:
        images: Shape (n_samples, height, width, 3).

    Returns:
        Lightness of 0 to 255, shape (n_samples, height, width).
    """
    channels: NDArray[Any] = np.moveaxis(images, -1, 0).astype(np.int32)
    red, green, blue = channels
    grey: NDArray[np.int32] = (red * RED + green * GREEN + blue * BLUE + HALF) >> 16
    return grey
