"""Samples: the values of a picture that Pillow holds with fewer bits or channels than its file."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.images.values import Range, ValueRanges

SIXTEEN = 16
WHITE_OF_SIXTEEN = 0xFFFF
# Of an image's values, so many at each end do not widen its range: a sensor's hot pixels.
STRAY = 0.001
# As many of its values are enough to find the range.
ENOUGH_VALUES = 2**20
MEASURED = struct.Struct("<?dd")


@dataclass(frozen=True, kw_only=True)
class Samples:
    """A picture as arrays.

    Attributes:
        colours: Shape (height, width, n_channels).
        mode: Of the colours, for Pillow: L, RGB or CMYK.
        alpha: Opacity in the whole range of its type, shape (height, width); None: opaque.
        is_premultiplied: Whether the colours are multiplied by the opacity.
        is_inverted: Whether 0 is white.
        depth: How many of sixteen bits are in use, 9 to 16, if the job has no range.
    """

    colours: NDArray[Any]
    mode: str
    alpha: NDArray[Any] | None = None
    is_premultiplied: bool = False
    is_inverted: bool = False
    depth: int = SIXTEEN

    def make_picture(self, find_ranges: Callable[[], ValueRanges]) -> Image.Image:
        """Make a picture of eight bits; ``find_ranges`` is called if it has more."""
        ranges = ValueRanges() if self.colours.dtype == np.uint8 else find_ranges()
        values = make_eight_bits(self.colours, ranges, self.depth)
        picture = _make_picture(self.mode, ~values if self.is_inverted else values)
        if self.alpha is None:
            return picture
        if picture.mode == "CMYK":
            picture = picture.convert("RGB")
        return _add_alpha(picture, _scale_opacity(self.alpha), self.is_premultiplied)

    def measure(self) -> bytes:
        """Measure the range of the colours, without stray values.

        Returns:
            As ``MEASURED``: whether they are floating-point numbers; the lowest; the highest. It is
            empty if they have eight bits.
        """
        values = self.colours.ravel()
        if values.dtype.itemsize == 1:
            return b""
        values = values[:: -(-len(values) // ENOUGH_VALUES)]
        if is_float := values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if not len(values):
            return b""
        low = np.quantile(values, STRAY, method="lower")
        high = np.quantile(values, 1 - STRAY, method="higher")
        return MEASURED.pack(is_float, low, high)


def _make_picture(mode: str, values: NDArray[np.uint8]) -> Image.Image:
    height, width = values.shape[:2]
    return Image.frombytes(mode, (width, height), np.ascontiguousarray(values).tobytes())


def _add_alpha(
    picture: Image.Image, alpha: NDArray[np.uint8], is_premultiplied: bool
) -> Image.Image:
    mode = "LA" if picture.mode == "L" else "RGBA"
    if not is_premultiplied:
        picture.putalpha(Image.fromarray(alpha))
        return picture
    values = np.dstack([np.asarray(picture), alpha])
    # A small a in the name of a mode stands for colours that are multiplied by the opacity.
    return _make_picture(mode.replace("A", "a"), values).convert(mode)


def _scale_opacity(alpha: NDArray[Any]) -> NDArray[np.uint8]:
    whole = 1.0 if alpha.dtype.kind == "f" else float(np.iinfo(alpha.dtype).max)
    return _scale(alpha, 0.0, whole)


def make_eight_bits(
    values: NDArray[Any], ranges: ValueRanges, depth: int = SIXTEEN
) -> NDArray[np.uint8]:
    """Scale values of any type to 0-255.

    Values beyond the range are black or white. Without a range, integers of sixteen bits are scaled
    by ``depth``, all others by their own range.

    Args:
        values: Of any shape.
        ranges: Which values are black and white.
        depth: How many of sixteen bits are in use, 9 to 16.

    Returns:
        Values of the same shape; NaN becomes black.
    """
    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    agreed = ranges.floats if values.dtype.kind == "f" else ranges.integers
    if agreed is None and _has_sixteen_bits(values):
        agreed = (0.0, 2.0**depth - 1)
    low, high = agreed or _find_extremes(values)
    if not low < high:
        return np.zeros(values.shape, np.uint8)
    if values.dtype.kind in "iu" and not low and (bits := _count_bits(high)):
        shifted: NDArray[Any] = np.right_shift(values.clip(0, int(high)), bits - 8)
        return shifted.astype(np.uint8)
    return _scale(values, low, high)


def _has_sixteen_bits(values: NDArray[Any]) -> bool:
    """Tell whether values are of sixteen bits; Pillow holds some of those in 32 (mode I)."""
    if values.dtype == np.int32:
        return bool(values.min() >= 0 and values.max() <= WHITE_OF_SIXTEEN)
    return values.dtype.kind == "u" and values.dtype.itemsize == 2


def _count_bits(white: float) -> int:
    """Return the number of bits, at least 8, of which ``white`` is the largest number, or 0."""
    bits = int(white).bit_length()
    return bits if bits >= 8 and white == 2**bits - 1 else 0


def _find_extremes(values: NDArray[Any]) -> Range:
    numbers = values.astype(np.result_type(values.dtype, np.float32))
    finite = np.isfinite(numbers)
    low = numbers.min(where=finite, initial=np.inf)
    return float(low), float(numbers.max(where=finite, initial=-np.inf))


def _scale(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    scaled: NDArray[Any] = values.astype(np.result_type(values.dtype, np.float32))
    np.nan_to_num(scaled, copy=False, nan=low, posinf=high, neginf=low)
    np.clip(scaled, low, high, out=scaled)
    scaled -= low
    scaled *= 255 / (high - low)
    scaled = np.rint(scaled)
    return scaled.astype(np.uint8)
