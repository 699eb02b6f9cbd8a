"""Pixels: from a picture of any mode and depth to square RGB of eight bits."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.thumbnails import encode_ratio
from shoal.worker.images.profiles import convert_to_srgb

# Modes whose values may be averaged as they are. While it resizes, Pillow weights colours by
# alpha (LA, RGBA), so that invisible colours do not bleed into visible ones.
INTERPOLABLE = {"RGB", "L", "RGBA", "LA", "CMYK", "YCbCr", "LAB"}
TRANSPARENT = {"RGBA", "LA", "La", "PA"}

# A TIFF's further channels: only these two kinds are opacity, whatever Pillow takes for it.
EXTRA_SAMPLES_TAG = 338
OPACITY = {1, 2}

# EXIF is parsed, which is slow, only where one of these blocks is present.
ORIENTATION_SOURCES = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Orientations of which width and height change places.
ON_ITS_SIDE = {5, 6, 7, 8}

# Puts something behind a picture of mode RGBA.
Backing: TypeAlias = Callable[[Image.Image], Image.Image]


class SquareImage(NamedTuple):
    """An image as a square, with the form that it had.

    Attributes:
        pixels: Shape (image_size, image_size, 3), read-only.
        ratio: Of width to height, of ``encode_ratio``.
    """

    pixels: NDArray[np.uint8]
    ratio: int

    def to_bytes(self) -> bytes:
        """Write the image for another process."""
        return self.pixels.tobytes() + bytes([self.ratio])

    @classmethod
    def from_bytes(cls, raw: bytes, image_size: int) -> Self:
        """Read an image that ``to_bytes`` wrote."""
        pixels = np.frombuffer(raw, np.uint8, image_size**2 * 3)
        return cls(pixels.reshape(image_size, image_size, 3), raw[-1])


def check_pixels(n_pixels: int, max_pixels: int) -> None:
    """Refuse an image that would take too much memory, before it is decoded.

    Raises:
        UnreadableImageError: It has more than ``max_pixels``.
    """
    if n_pixels > max_pixels:
        detail = f"{n_pixels:,} pixels, of {max_pixels:,} allowed"
        raise UnreadableImageError(FailureReason.TOO_MANY_PIXELS, detail)


def make_square(picture: Image.Image, image_size: int) -> SquareImage:
    """Resize a picture to a square, upright, and on white where it is transparent."""
    width, height = picture.size  # before it is decoded, which may be at an eighth of its size
    square = make_small(picture, (image_size, image_size))
    if read_orientation(picture) in ON_ITS_SIDE:
        width, height = height, width
    # Not np.asarray: it makes Pillow encode the pixels several times (100 µs an image).
    pixels = np.frombuffer(square.tobytes(), np.uint8).reshape(image_size, image_size, 3)
    return SquareImage(pixels, encode_ratio(width, height))


def lay_on_white(picture: Image.Image) -> Image.Image:
    """Put white behind a picture of mode RGBA."""
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


def make_small(
    picture: Image.Image, size: tuple[int, int], back: Backing = lay_on_white
) -> Image.Image:
    """Resize a picture to ``size`` as it lies in its file, then turn it upright.

    Args:
        picture: Not loaded yet, as a JPEG is decoded at a fraction of its size.
        size: Width and height, as it lies in its file.
        back: Puts something behind it where it is transparent.

    Returns:
        The picture in the colours of sRGB.
    """
    # A JPEG is decoded at the smallest of 1/8, 1/4, 1/2 and 1 that still covers the target.
    picture.draft(None, size)
    small = _make_interpolable(picture).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    # Turned after it is resized, when there is less to turn.
    colours = _make_rgb(make_upright(small, read_orientation(picture)), back)
    return convert_to_srgb(colours, picture.info.get("icc_profile"))


def _make_interpolable(picture: Image.Image) -> Image.Image:
    """Convert a picture of eight bits to a mode whose values may be averaged."""
    if picture.format == "TIFF" and picture.mode in TRANSPARENT and not _has_opacity(picture):
        return picture.convert("RGB")
    if picture.mode == "La":
        return picture.convert("LA")
    if picture.mode in INTERPOLABLE and "transparency" not in picture.info:
        return picture
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _has_opacity(picture: Image.Image) -> bool:
    kinds = getattr(picture, "tag_v2", {}).get(EXTRA_SAMPLES_TAG, ())
    return not OPACITY.isdisjoint(kinds)


def _make_rgb(picture: Image.Image, back: Backing) -> Image.Image:
    """Convert an interpolable picture to RGB, with something behind it if it is transparent."""
    if picture.mode in {"RGBA", "LA"}:
        picture = back(picture.convert("RGBA"))
    if picture.mode == "LAB":
        return _lab_to_rgb().apply(picture)
    return picture.convert("RGB") if picture.mode != "RGB" else picture


@cache
def _lab_to_rgb() -> ImageCms.ImageCmsTransform:
    """Build the conversion that Pillow's own ``convert`` lacks."""
    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, rgb, "LAB", "RGB")


def read_orientation(picture: Image.Image) -> int:
    """Read the EXIF orientation, 1 to 8, that is not yet applied to a loaded picture."""
    # Pillow turns a TIFF itself while it loads.
    if picture.format == "TIFF" or ORIENTATION_SOURCES.isdisjoint(picture.info):
        return 1
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    # Damaged EXIF can raise anything in its parser; the pixels may still be good.
    except Exception:
        return 1


def make_upright(picture: Image.Image, orientation: int) -> Image.Image:
    """Turn or mirror a picture as its EXIF orientation says; only 2 to 8 change it."""
    if orientation not in UPRIGHT:
        return picture
    return picture.transpose(UPRIGHT[orientation])
