"""Profiles: colours of a wide gamut, such as Display P3 of telephones, become those of sRGB."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

# Cameras and telephones have one profile each; a folder seldom has more.
MOST_PROFILES = 32
# A larger profile is used, and not kept: a file can have one of hundreds of megabytes.
MOST_KEPT_BYTES = 2**20
# Each channel of the colours by which a profile is compared with sRGB.
LEVELS = np.arange(0, 256, 51, dtype=np.uint8)
# A profile that changes no colour by more is sRGB, of which there are hundreds of versions.
ROUNDING = 3


def convert_to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a picture from the colours of its profile to those of sRGB.

    Args:
        picture: RGB.
        profile: An ICC profile. One that is damaged, or not of RGB, counts as sRGB.
    """
    if not profile:
        return picture
    find = _find_transform if len(profile) > MOST_KEPT_BYTES else _find_kept
    transform = find(profile)
    return ImageCms.applyTransform(picture, transform) or picture if transform else picture


def _find_transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """Build the conversion of a profile; None if it changes nothing, or cannot be used."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB":
            return None
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, srgb, "RGB", "RGB")
        return None if _changes_nothing(transform) else transform
    # A damaged profile can raise nearly anything; the pixels are still good.
    except Exception:
        return None


_find_kept = lru_cache(MOST_PROFILES)(_find_transform)


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    colours = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), axis=-1).reshape(1, -1, 3)
    converted = ImageCms.applyTransform(Image.fromarray(colours), transform)
    differences = np.asarray(converted, np.int16) - colours.astype(np.int16)
    return bool(np.abs(differences).max() <= ROUNDING)
