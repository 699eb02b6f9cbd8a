"""Scientific TIFF: the depths and layouts that Pillow cannot open."""

import lzma
import math
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.worker.images.pixels import MIN_IS_WHITE, check_pixels, make_eight_bits, make_upright

TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION_TAG = 274

# For the compressions that tifffile undoes in one step, however large the result.
DECOMPRESSORS: dict[int, Callable[[], Any]] = {
    8: zlib.decompressobj,
    32946: zlib.decompressobj,
    34925: lzma.LZMADecompressor,
}


def read_scientific_tiff(content: bytes, max_pixels: int) -> Image.Image:
    """Read the first page of a TIFF file as an eight-bit picture: L, RGB or RGBA.

    Unsigned values of 8 and 16 bits are scaled by the range of their type, all others by their
    own range. Of many channels, the first three are taken for the colours.

    Raises:
        UnreadableImageError: The page has more than ``max_pixels``, or decompresses to more than
            its size says.
        Exception: Whatever tifffile raises.
    """
    # Imported here: most folders have no such file, and the import takes 0.1 s.
    from tifffile import TiffFile

    with TiffFile(BytesIO(content)) as tiff:
        page = tiff.pages.first
        # With hundreds of channels, a page takes more memory than its width and height suggest.
        check_pixels(max(page.imagewidth * page.imagelength, page.size // 4), max_pixels)
        _check_segments(page, content)
        channels = _take_first_plane(page.asarray(), page.axes)
        values = make_eight_bits(channels)
        if page.photometric == MIN_IS_WHITE:
            values = ~values
        orientation = page.tags.valueof(ORIENTATION_TAG, default=1)
        return make_upright(_make_picture(values, bool(page.extrasamples)), orientation)


def _check_segments(page: Any, content: bytes) -> None:
    """Check that no strip or tile decompresses to far more than its pixels.

    Raises:
        UnreadableImageError: One does; a file of 2 MB took 4 GB.
    """
    if page.compression not in DECOMPRESSORS:
        return
    most = 2 * math.prod(page.chunks) * page.dtype.itemsize
    for start, n_bytes in zip(page.dataoffsets, page.databytecounts, strict=False):
        decompressor = DECOMPRESSORS[page.compression]()
        if len(decompressor.decompress(content[start : start + n_bytes], most + 1)) > most:
            detail = "decompresses to more than its pixels"
            raise UnreadableImageError(FailureReason.DAMAGED, detail)


def _take_first_plane(values: NDArray[Any], axes: str) -> NDArray[Any]:
    """Take the first plane of an array with these axes, as (height, width, n_channels)."""
    for axis in axes:
        if axis not in "YXS":
            values = values.take(0, axis=axes.index(axis))
            axes = axes.replace(axis, "", 1)
    if "S" not in axes:
        return values[..., np.newaxis]
    return np.moveaxis(values, axes.index("S"), -1)


def _make_picture(values: NDArray[np.uint8], has_alpha: bool) -> Image.Image:
    """Make a picture of pixels of shape (height, width, n_channels)."""
    n_channels = values.shape[-1]
    if n_channels < 3:
        return Image.fromarray(np.ascontiguousarray(values[..., 0]))
    kept = 4 if n_channels == 4 and has_alpha else 3
    return Image.fromarray(np.ascontiguousarray(values[..., :kept]))
