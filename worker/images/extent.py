"""Extent: how many pixels an image has, mostly without decoding it."""

import os

from PIL import Image

from shoal.shared.images.files import ImageLimits, StrPath, read_file
from shoal.shared.images.kinds import kind_of
from shoal.worker.images.loading import decode_picture, explained
from shoal.worker.images.pixels import read_orientation

# From there on, EXIF orientations exchange width and height.
FIRST_ON_ITS_SIDE = 5


def measure_extent(path: StrPath, _image_size: int, limits: ImageLimits) -> bytes:
    """Measure width and height of one image as it is seen, upright.

    Returns:
        Both in pixels, as text: ``b"640 480"``.

    Raises:
        UnreadableImageError: As in ``load_image``.
    """
    content = read_file(path, limits)
    kind = kind_of(os.fspath(path))
    with explained(content):
        return b"%d %d" % decode_picture(content, limits, _read_extent, kind)


def _read_extent(picture: Image.Image) -> tuple[int, int]:
    width, height = picture.size
    is_on_its_side = read_orientation(picture) >= FIRST_ON_ITS_SIDE
    return (height, width) if is_on_its_side else (width, height)
