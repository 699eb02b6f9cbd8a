"""Previews: an image as a small JPEG that keeps its form, for people to look at.

They are made of the same pixels as features, and within the same limits. Features see white where
an image is transparent; people see chequers there, or a white logo would not be seen.
"""

import os

import numpy as np
from PIL import Image

from shoal.shared.images.files import ImageLimits, StrPath, read_file
from shoal.shared.images.frames import shrink_to_fit
from shoal.shared.images.kinds import kind_of
from shoal.worker.images.loading import decode_picture, explained
from shoal.worker.images.pixels import make_small
from shoal.worker.images.thumbnails import encode

QUALITY = 80
# Light, as most pictures with transparency were drawn for white paper; but none is white, or a
# white logo would hardly be seen.
CHEQUERS = np.array([241, 219], np.uint8)
CELL_PIXELS = 8
# The comment of a picture with transparent parts, which it keeps as a JPEG.
TRANSPARENT = b"transparent"
# Of the longer side, so that small pictures have several.
FEWEST_CELLS = 12


def load_preview(path: StrPath, image_size: int, limits: ImageLimits) -> bytes:
    """Load one image as a JPEG whose longer side has at most ``image_size`` pixels.

    Raises:
        UnreadableImageError: As in ``load_image``.
    """
    return encode(load_picture(path, image_size, limits), QUALITY)


def load_picture(path: StrPath, image_size: int, limits: ImageLimits) -> Image.Image:
    """Load one image in its form, of at most ``image_size`` pixels, on chequers if transparent.

    Returns:
        RGB; ``is_transparent`` tells of it whether the image has transparent parts.

    Raises:
        UnreadableImageError: As in ``load_image``.
    """
    content, comments = read_file(path, limits), dict[str | tuple[int, int], bytes]()

    def back(picture: Image.Image) -> Image.Image:
        if picture.getchannel("A").getextrema() != (255, 255):
            comments["comment"] = TRANSPARENT
        return lay_on_chequers(picture)

    def shrink(picture: Image.Image) -> Image.Image:
        return make_small(picture, shrink_to_fit(picture.size, image_size), back)

    with explained(content):
        made = decode_picture(content, limits, shrink, kind_of(os.fspath(path)))
    made.info = {**comments}
    return made


def is_transparent(picture: Image.Image) -> bool:
    """Return whether a picture of ``load_picture`` has transparent parts."""
    return picture.info.get("comment") == TRANSPARENT


def lay_on_chequers(picture: Image.Image) -> Image.Image:
    """Put light chequers behind a picture of mode RGBA."""
    cell = min(CELL_PIXELS, max(1, max(picture.size) // FEWEST_CELLS))
    columns, rows = (np.arange(side) // cell for side in picture.size)
    chequers = Image.fromarray(CHEQUERS[(rows[:, None] + columns) % 2]).convert("RGBA")
    return Image.alpha_composite(chequers, picture)
