"""Previews: an image as a small JPEG that keeps its form, for the page to show.

They are made of the same pixels as features, and within the same limits.
"""

import os

from PIL import Image

from shoal.shared.images.files import ImageLimits, StrPath, read_file
from shoal.shared.images.kinds import kind_of
from shoal.worker.images.loading import decode_picture, explained
from shoal.worker.images.pixels import make_small
from shoal.worker.images.thumbnails import encode

QUALITY = 80


def load_preview(path: StrPath, image_size: int, limits: ImageLimits) -> bytes:
    """Load one image as a JPEG whose longer side has at most ``image_size`` pixels.

    Raises:
        UnreadableImageError: As in ``load_image``.
    """
    content = read_file(path, limits)

    def shrink(picture: Image.Image) -> Image.Image:
        return make_small(picture, _fit(picture.size, image_size))

    kind = kind_of(os.fspath(path))
    with explained(content):
        return encode(decode_picture(content, limits, shrink, kind), QUALITY)


def _fit(size: tuple[int, int], most: int) -> tuple[int, int]:
    """Shrink a width and height to at most ``most``; they are never enlarged."""
    scale = min(1, most / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    return width, height
