"""Pixels as a PNG file, faster than a general encoder."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
EIGHT_BIT_RGB = bytes([8, 2, 0, 0, 0])
FILTER_UP = 2
# Higher levels take twice the time for a few percent of the bytes.
LEVEL = 1


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG of red, green and blue, shape (height, width, 3).

    Each line is stored as its difference from the line above. Pillow tries five such filters for
    each line; on plots and mosaics, this one makes files as small in a third of the time.
    """
    height, width, _ = pixels.shape
    lines = pixels.reshape(height, 3 * width)
    filtered = np.empty((height, 1 + 3 * width), dtype=np.uint8)
    filtered[:, 0] = FILTER_UP
    filtered[:1, 1:] = lines[:1]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    header = struct.pack(">II", width, height) + EIGHT_BIT_RGB
    body = make_chunk(b"IDAT", zlib.compress(filtered.data, LEVEL))
    return SIGNATURE + make_chunk(b"IHDR", header) + body + make_chunk(b"IEND", b"")


def make_chunk(kind: bytes, content: bytes) -> bytes:
    """Return one part of a PNG file: length, kind, content, checksum."""
    named = kind + content
    return struct.pack(">I", len(content)) + named + struct.pack(">I", zlib.crc32(named))
