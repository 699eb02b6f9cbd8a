"""Essentials: an image file without what its pixels do not need, which Pillow may refuse.

Decoders may pass over such parts, as browsers do. Pillow refuses the whole file if a PNG has text
or a colour profile of more than a megabyte or a wrong checksum there, or if a JPEG has resources of
Photoshop or a JFIF segment that end too early.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from shoal.shared.errors import UnreadableImageError

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
HEAD = struct.Struct(">I4s")
CHECKSUM = struct.Struct(">I")
# Bit 5 of a chunk's first letter: in lower case, the picture can be shown without it.
ANCILLARY = 0x20
TRANSPARENCY = b"tRNS"
# Chunks that can tell the orientation, and with which keywords if they are text.
EXIF = b"eXIf"
TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
ORIENTATION_KEYWORDS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
# A longer one is not kept, as it may be why Pillow refuses the file.
MOST_BYTES = 2**19

JPEG_MAGIC = b"\xff\xd8\xff"
MARKER = struct.Struct(">BBH")
APPLICATION = range(0xE0, 0xF0)
COMMENT = 0xFE
START_OF_SCAN = 0xDA
# Of a JPEG's application segments: those that tell colours and orientation, and of how many
# bytes they have to be for decoders to heed them.
TELLING_SEGMENTS = (
    (0xE0, b"JFIF\0", 18),
    (0xE1, b"Exif\0\0", 0),
    (0xE1, b"http://ns.adobe.com/xap/", 0),
    (0xEE, b"Adobe", 16),
)

Made = TypeVar("Made")


def read_tolerantly(content: bytes, read: Callable[[bytes], Made]) -> Made:
    """Read a file; one that is refused, once more without what its pixels do not need.

    Raises:
        Exception: What ``read`` raised for the whole file.
    """
    try:
        return read(content)
    except (UnreadableImageError, MemoryError):
        raise
    except Exception:
        needed = _keep_essentials(content)
        if needed != content:
            with suppress(Exception):
                return read(needed)
        raise


def _keep_essentials(content: bytes) -> bytes:
    """Drop what an upright picture does not need from a PNG or JPEG; other files stay."""
    if content.startswith(PNG_MAGIC):
        return PNG_MAGIC + _join(_split_chunks(content), _is_needed_chunk)
    if content.startswith(JPEG_MAGIC):
        return JPEG_MAGIC[:2] + _join(_split_segments(content), _is_needed_segment)
    return content


def _join(parts: Iterator[bytes], is_needed: Callable[[bytes], bool]) -> bytes:
    return b"".join(part for part in parts if is_needed(part))


def _split_chunks(content: bytes) -> Iterator[bytes]:
    """Split a PNG after its magic into chunks; the last one may be cut off."""
    start = len(PNG_MAGIC)
    while len(content) - start >= HEAD.size:
        length, _ = HEAD.unpack_from(content, start)
        end = start + HEAD.size + length + CHECKSUM.size
        yield content[start:end]
        start = end


def _is_needed_chunk(chunk: bytes) -> bool:
    _, kind = HEAD.unpack_from(chunk)
    if not kind[0] & ANCILLARY or kind == TRANSPARENCY:
        return True
    return _tells_orientation(kind, chunk) and _has_right_checksum(chunk)


def _tells_orientation(kind: bytes, chunk: bytes) -> bool:
    if len(chunk) > MOST_BYTES:
        return False
    return kind == EXIF or (kind in TEXTS and chunk.startswith(ORIENTATION_KEYWORDS, HEAD.size))


def _has_right_checksum(chunk: bytes) -> bool:
    body, checksum = chunk[HEAD.size - 4 : -CHECKSUM.size], chunk[-CHECKSUM.size :]
    return CHECKSUM.pack(zlib.crc32(body)) == checksum


def _split_segments(content: bytes) -> Iterator[bytes]:
    """Split a JPEG after its magic into segments; the last one is the pixels, or what is odd."""
    start = 2
    while len(content) - start >= MARKER.size:
        sign, kind, length = MARKER.unpack_from(content, start)
        if sign != 0xFF or kind == START_OF_SCAN or length < 2:
            break
        yield content[start : start + 2 + length]
        start += 2 + length
    yield content[start:]


def _is_needed_segment(segment: bytes) -> bool:
    if len(segment) < MARKER.size:
        return True
    kind = segment[1]
    if kind not in APPLICATION:
        return kind != COMMENT
    return any(
        kind == telling and segment.startswith(name, MARKER.size) and len(segment) >= least
        for telling, name, least in TELLING_SEGMENTS
    )
