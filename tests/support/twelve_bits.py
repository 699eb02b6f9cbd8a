"""A TIFF of twelve bits, which neither Pillow nor tifffile writes."""

import struct

EDGE = 8
HEADER = struct.Struct("<4sIH")
ENTRY = struct.Struct("<HHII")
LONG = 4
MIN_IS_BLACK = 1


def make_twelve_bit_tiff(value: int) -> bytes:
    """Return a grey picture of 8 × 8 pixels that all have ``value``, of 0 to 4095."""
    pixels = (value << 12 | value).to_bytes(3) * (EDGE * EDGE // 2)  # two pixels in three bytes
    tags = {256: EDGE, 257: EDGE, 258: 12, 259: 1, 262: MIN_IS_BLACK, 277: 1, 278: EDGE}
    start = HEADER.size + (len(tags) + 2) * ENTRY.size + 4
    tags |= {273: start, 279: len(pixels)}
    entries = b"".join(ENTRY.pack(tag, LONG, 1, tags[tag]) for tag in sorted(tags))
    return HEADER.pack(b"II*\0", 8, len(tags)) + entries + bytes(4) + pixels
