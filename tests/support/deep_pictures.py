"""Pictures of sixteen bits in forms that Pillow does not write."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# By number of channels.
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def write_deep_png(path: Path, values: NDArray[Any], transparent: bytes = b"") -> None:
    """Write values of shape (height, width, n_channels); the last of 2 or 4 is the opacity."""
    height, width, n_channels = values.shape
    rows = values.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    sizes = width.to_bytes(4) + height.to_bytes(4)
    path.write_bytes(
        PNG_SIGNATURE
        + _make_chunk(b"IHDR", sizes + bytes([16, COLOUR_TYPES[n_channels], 0, 0, 0]))
        + (_make_chunk(b"tRNS", transparent) if transparent else b"")
        + _make_chunk(b"IDAT", zlib.compress(raw))
        + _make_chunk(b"IEND", b"")
    )


def _make_chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content).to_bytes(4)
    return len(content).to_bytes(4) + name + content + checksum


def write_deep_pixmap(path: Path, values: NDArray[np.uint16], white: int = 65_535) -> None:
    """Write RGB values of shape (height, width, 3)."""
    height, width, _ = values.shape
    path.write_bytes(b"P6\n%d %d\n%d\n" % (width, height, white) + values.astype(">u2").tobytes())
