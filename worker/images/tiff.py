"""Scientific TIFF: the depths and layouts that Pillow cannot open."""

import lzma
import math
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.worker.images.deep import MIN_IS_WHITE
from shoal.worker.images.pixels import OPACITY, check_pixels
from shoal.worker.images.samples import SIXTEEN, Samples

TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION_TAG = 274
# Of its photometric interpretations.
PALETTE, SEPARATED = 3, 5
PREMULTIPLIED = 1

# For the compressions that tifffile undoes in one step, however large the result.
DECOMPRESSORS: dict[int, Callable[[], Any]] = {
    8: zlib.decompressobj,
    32946: zlib.decompressobj,
    34925: lzma.LZMADecompressor,
}


def read_scientific_tiff(content: bytes, max_pixels: int) -> tuple[Samples, int]:
    """Read the first page of a TIFF file.

    Of many channels, the first three that are not opacity are taken for the colours.

    Returns:
        Its samples, and its orientation as in EXIF.

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
        orientation = int(page.tags.valueof(ORIENTATION_TAG, default=1))
        return _make_samples(channels, page), orientation


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


def _make_samples(channels: NDArray[Any], page: Any) -> Samples:
    """Sort the channels of a page, of shape (height, width, n_channels), by what they mean."""
    if page.photometric == PALETTE and page.colormap is not None:
        channels = np.concatenate(
            [np.moveaxis(page.colormap, 0, -1)[channels[..., 0]], channels[..., 1:]], axis=-1
        )
    n_channels, kinds = channels.shape[-1], page.extrasamples
    extra = dict(zip(range(n_channels - len(kinds), n_channels), map(int, kinds), strict=True))
    opacities = [number for number, kind in extra.items() if kind in OPACITY]
    others = [number for number in range(n_channels) if number not in opacities]
    mode = "CMYK" if page.photometric == SEPARATED else "RGB"
    n_colours = next((n for n in (len(mode), len("RGB")) if n <= len(others)), 1)
    return Samples(
        colours=channels[..., others[:n_colours]],
        mode={1: "L", 3: "RGB", 4: "CMYK"}[n_colours],
        alpha=channels[..., opacities[0]] if opacities else None,
        is_premultiplied=bool(opacities) and extra[opacities[0]] == PREMULTIPLIED,
        is_inverted=page.photometric == MIN_IS_WHITE,
        depth=page.bitspersample if 8 < page.bitspersample < SIXTEEN else SIXTEEN,
    )
