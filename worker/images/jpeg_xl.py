"""JPEG XL, which imagecodecs reads: the size in its header, and the picture."""

import struct
from collections.abc import Iterator

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
# Boxes of the pixels' code, and where it begins in each: parts are numbered.
PART_STARTS = {b"jxlc": 0, b"jxlp": 4}
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
    return Image.fromarray(make_eight_bits(values, WHOLE))


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
    """Find the beginning of the pixels' code: bare, or in the boxes of a container, in parts."""
    if content.startswith(CODESTREAM):
        return content[:HEADER_BYTES]
    found = b""
    for kind, start, end in _list_boxes(content):
        if kind in PART_STARTS:
            found += content[start + PART_STARTS[kind] : end][:HEADER_BYTES]
        if len(found) >= HEADER_BYTES:
            break
    if not found.startswith(CODESTREAM):
        raise ValueError("truncated: no picture in its container")
    return found[:HEADER_BYTES]


def _list_boxes(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """List the kinds of the boxes, and where the content of each begins and ends."""
    start = 0
    while len(content) - start >= BOX.size:
        length, kind = BOX.unpack_from(content, start)
        body = start + BOX.size
        if length == 1 and len(content) - body >= 8:
            length, body = int.from_bytes(content[body : body + 8], "big"), body + 8
        if length < BOX.size:  # it reaches to the end, or is damaged
            yield kind, body, len(content)
            return
        yield kind, body, start + length
        start += length
