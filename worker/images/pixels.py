"""Pixels: from a picture of any mode and depth to square RGB of eight bits."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
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


def check_pixels(n_pixels: int, max_pixels: int) -> None:
    """Refuse an image that would take too much memory, before it is decoded.

    Raises:
        UnreadableImageError: It has more than ``max_pixels``.
    """
    if n_pixels > max_pixels:
        detail = f"{n_pixels:,} pixels, of {max_pixels:,} allowed"
        raise UnreadableImageError(FailureReason.TOO_MANY_PIXELS, detail)


def make_square(picture: Image.Image, image_size: int) -> NDArray[np.uint8]:
    """Resize a picture to a square, upright, and on white where it is transparent.

    Returns:
        Pixels of shape (image_size, image_size, 3), read-only.
    """
    square = make_small(picture, (image_size, image_size))
    # Not np.asarray: it makes Pillow encode the pixels several times (100 µs an image).
    return np.frombuffer(square.tobytes(), np.uint8).reshape(image_size, image_size, 3)


def make_small(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize a picture to ``size`` as it lies in its file, then turn it upright.

    Returns:
        The picture in the colours of sRGB, on white where it is transparent.
    """
    # A JPEG is decoded at the smallest of 1/8, 1/4, 1/2 and 1 that still covers the target.
    picture.draft(None, size)
    small = _make_interpolable(picture).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    # Turned after it is resized, when there is less to turn.
    colours = _make_rgb(make_upright(small, read_orientation(picture)))
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


def _make_rgb(picture: Image.Image) -> Image.Image:
    """Convert an interpolable picture to RGB, on white where it is transparent."""
    if picture.mode in {"RGBA", "LA"}:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
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
