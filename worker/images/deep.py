"""Deep pictures: more than eight bits a channel, of which Pillow may take only the highest."""

import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.images.values import ValueRanges
from shoal.worker.images.samples import SIXTEEN, WHITE_OF_SIXTEEN, Samples

# Pillow's modes of one channel, which hold all bits of a file.
WIDE = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
BITS_PER_SAMPLE_TAG = 258
PHOTOMETRIC_TAG = 262
PLANAR_TAG = 284
SEPARATE_PLANES = 2
MIN_IS_WHITE = 0

# Pillow's names for what is in a file, and those with which it takes the lower byte for the higher.
# It has none for grey with opacity, whose bytes it can take for four channels.
FOREIGN = ";16B" if sys.byteorder == "little" else ";16L"
SWAPPED_ORDERS = {";16L": ";16B", ";16B": ";16L", ";16N": FOREIGN}
SWAPPED = {
    f"{channels}{order}": f"{channels}{swapped}"
    for channels in ("RGB", "RGBX", "RGBA", "CMYK")
    for order, swapped in SWAPPED_ORDERS.items()
}
GREY_AND_OPACITY = "LA;16B"
SWAPPED[GREY_AND_OPACITY] = "RGBA"


def is_plain(picture: Image.Image) -> bool:
    """Tell whether Pillow reads a picture, which is open but not loaded, with all of its bits."""
    match picture.format:
        case "TIFF":
            return max(_read_tag(picture, BITS_PER_SAMPLE_TAG), default=1) <= 8 and not is_planar(
                picture
            )
        case "PNG":
            return ";16" not in _read_rawmode(picture)
        case "PPM":
            return picture.mode not in WIDE and _read_white(picture) <= 255
        case "JPEG2000":
            return picture.mode not in WIDE
    return True


def needs_samples(picture: Image.Image, find_ranges: Callable[[], ValueRanges]) -> bool:
    """Tell whether Pillow alone would not make the right eight bits of a picture not plain."""
    # Of planes of sixteen bits it takes bytes, and many layouts of planes it refuses.
    if picture.mode in WIDE or is_planar(picture):
        return True
    # Of other channels of sixteen bits it takes the eight highest.
    return find_ranges().integers not in (None, (0.0, float(WHITE_OF_SIXTEEN)))


def is_planar(picture: Image.Image) -> bool:
    """Tell whether a TIFF has its channels one after the other."""
    return SEPARATE_PLANES in _read_tag(picture, PLANAR_TAG)


def read_samples(picture: Image.Image, content: bytes) -> Samples | None:
    """Read the samples of a picture; None if only Pillow reads it, which takes eight bits.

    Args:
        picture: Open, but not loaded.
        content: Its file.
    """
    if picture.mode in WIDE:
        colours = np.asarray(picture)[..., np.newaxis]
        return Samples(
            colours=colours,
            mode="L",
            alpha=_find_transparent(picture, colours),
            is_inverted=MIN_IS_WHITE in _read_tag(picture, PHOTOMETRIC_TAG),
            depth=_read_depth(picture),
        )
    if picture.format == "PPM":
        return Samples(colours=_read_pixmap(picture, content), mode="RGB")
    if is_planar(picture) or _read_rawmode(picture) not in SWAPPED:
        return None
    return _split_channels(picture, _read_both_bytes(picture, content))


def _find_transparent(picture: Image.Image, values: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Find the opacity of a PNG in which one colour is declared transparent; None if none is."""
    if "transparency" not in picture.info:
        return None
    is_opaque = (values != np.array(picture.info["transparency"])).any(axis=-1)
    return np.where(is_opaque, 255, 0).astype(np.uint8)


def _read_depth(picture: Image.Image) -> int:
    """Return how many of sixteen bits are in use: a TIFF of twelve has the mode of sixteen."""
    depth = max(_read_tag(picture, BITS_PER_SAMPLE_TAG), default=SIXTEEN)
    return depth if 8 < depth < SIXTEEN else SIXTEEN


def _read_tag(picture: Image.Image, tag: int) -> tuple[int, ...]:
    """Read the numbers of a tag of a TIFF; none in other formats."""
    numbers = getattr(picture, "tag_v2", {}).get(tag, ())
    return numbers if isinstance(numbers, tuple) else (numbers,)


def _read_tiles(picture: Image.Image) -> Any:
    """Read what Pillow is going to decode, and how; nothing once the picture is loaded."""
    return getattr(picture, "tile", ())


def _read_rawmode(picture: Image.Image) -> str:
    """Read what Pillow calls the form of the pixels in the file."""
    for tile in _read_tiles(picture):
        return str(tile.args[0] if isinstance(tile.args, tuple) else tile.args)
    return ""


def _read_white(picture: Image.Image) -> int:
    """Read which value of a binary PPM is white, 1 to 65,535."""
    for tile in _read_tiles(picture):
        if tile.codec_name == "ppm":
            return int(tile.args[-1])
    return 255


def _read_pixmap(picture: Image.Image, content: bytes) -> NDArray[Any]:
    """Read a PPM, scaled so that its white is that of sixteen bits, as Pillow does for PGM."""
    size = picture.height * picture.width * 3
    values = np.frombuffer(content, ">u2", size, _read_tiles(picture)[0].offset).astype(np.float32)
    values *= WHITE_OF_SIXTEEN / _read_white(picture)
    whole: NDArray[Any] = np.rint(values.clip(0, WHITE_OF_SIXTEEN))
    return whole.astype(np.uint16).reshape(picture.height, picture.width, 3)


def _read_both_bytes(picture: Image.Image, content: bytes) -> NDArray[Any]:
    """Read the channels of a picture whose higher bytes Pillow takes: once more for the lower."""
    rawmode = _read_rawmode(picture)
    with Image.open(BytesIO(content), formats=[str(picture.format)]) as again:
        swapped = [_replace_rawmode(tile, SWAPPED[rawmode]) for tile in _read_tiles(again)]
        setattr(again, "tile", swapped)  # noqa: B010  Pillow's types do not know it
        lower: NDArray[Any] = np.asarray(again).astype(np.uint16)
    if rawmode == GREY_AND_OPACITY:
        both: NDArray[Any] = lower[..., ::2] << 8 | lower[..., 1::2]
        return both
    higher: NDArray[Any] = np.asarray(picture).astype(np.uint16)
    return np.asarray(higher << 8 | lower)


def _replace_rawmode(tile: Any, rawmode: str) -> Any:
    arguments = (rawmode, *tile.args[1:]) if isinstance(tile.args, tuple) else rawmode
    return tile._replace(args=arguments)


def _split_channels(picture: Image.Image, values: NDArray[Any]) -> Samples:
    if picture.mode in {"CMYK", "RGB"}:
        alpha = _find_transparent(picture, values)
        return Samples(colours=values, mode=picture.mode, alpha=alpha)
    mode = "L" if values.shape[-1] == 2 else "RGB"
    return Samples(colours=values[..., :-1], mode=mode, alpha=values[..., -1])
