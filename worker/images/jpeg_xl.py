"""JPEG XL, which imagecodecs reads: the size in its header, and the picture."""

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from shoal.shared.images.values import ValueRanges
from shoal.worker.images.pixels import check_pixels
from shoal.worker.images.samples import WHITE_OF_SIXTEEN, make_eight_bits

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
BOX = struct.Struct(">I4s")
# ISO/IEC 18181-1: how many bits a side has, and the ratios of width and height.
SIDE_BITS = (9, 13, 18, 30)
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
# The header of a picture takes at most 8 bytes.
HEADER_BYTES = 16
WHOLE = ValueRanges(integers=(0.0, float(WHITE_OF_SIXTEEN)), floats=(0.0, 1.0))


def decode_jpeg_xl(content: bytes, max_pixels: int) -> Image.Image:
    """Decode the first frame, upright, in eight bits.

    Raises:
        UnreadableImageError: It has more than ``max_pixels``.
        Exception: Whatever the decoder raises.
    """
    import imagecodecs

    width, height = read_size(content)
    check_pixels(width * height, max_pixels)
    values = imagecodecs.jpegxl_decode(content, index=0, numthreads=1)
    return Image.fromarray(np.squeeze(make_eight_bits(values, WHOLE)))


def read_size(content: bytes) -> tuple[int, int]:
    """Read the width and height of a picture, in pixels.

    Raises:
        ValueError: There is no header.
    """
    header = int.from_bytes(_find_codestream(content)[len(CODESTREAM) :], "little")

    def take(n_bits: int) -> int:
        nonlocal header
        value, header = header & ((1 << n_bits) - 1), header >> n_bits
        return value

    is_small = take(1)

    def take_side() -> int:
        return 8 * (take(5) + 1) if is_small else take(SIDE_BITS[take(2)]) + 1

    height = take_side()
    ratio = take(3)
    if not ratio:
        return take_side(), height
    numerator, denominator = RATIOS[ratio - 1]
    return height * numerator // denominator, height


def _find_codestream(content: bytes) -> bytes:
    """Find the beginning of the pixels' code, which is bare or in a box of a container."""
    if content.startswith(CODESTREAM):
        return content[:HEADER_BYTES]
    for kind, body in _list_boxes(content):
        start = {b"jxlc": 0, b"jxlp": 4}.get(kind)
        if start is not None:
            return content[body + start : body + start + HEADER_BYTES]
    raise ValueError("truncated: no picture in its container")


def _list_boxes(content: bytes) -> Iterator[tuple[bytes, int]]:
    """List the kinds of the boxes, and where the content of each begins."""
    start = 0
    while len(content) - start >= BOX.size:
        length, kind = BOX.unpack_from(content, start)
        body = start + BOX.size
        if length == 1 and len(content) - body >= 8:
            length, body = int.from_bytes(content[body : body + 8], "big"), body + 8
        yield kind, body
        if length < BOX.size:
            return  # it reaches to the end, or is damaged
        start += length
