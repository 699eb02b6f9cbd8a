"""Grey: the lightness that gradients and textures are read from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# ITU-R 601-2, in 65536ths: as Pillow converts to mode L.
RED, GREEN, BLUE = 19595, 38470, 7471
HALF = 2**15


def make_grey(images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the lightness of RGB images, 0 to 255, of shape (n_samples, height, width).

    In integers: an image without colour keeps its values exactly.
    """
    channels: NDArray[Any] = np.moveaxis(images, -1, 0).astype(np.int32)
    red, green, blue = channels
    grey: NDArray[np.int32] = (red * RED + green * GREEN + blue * BLUE + HALF) >> 16
    return grey
