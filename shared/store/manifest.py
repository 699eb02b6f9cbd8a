"""The manifest: the paths of each batch, packed into bytes."""

import os
import zlib
from collections.abc import Sequence

# NUL is the one byte that no path has.
SEPARATOR = b"\0"


def pack_paths(paths: Sequence[str]) -> bytes:
    """Pack ``paths`` into bytes; names that are not UTF-8 survive."""
    return zlib.compress(SEPARATOR.join(map(os.fsencode, paths)), level=1)


def unpack_paths(packed: bytes) -> list[str]:
    """Unpack what ``pack_paths`` returned.

    Raises:
        zlib.error: The bytes are not those of a manifest.
    """
    return [os.fsdecode(path) for path in zlib.decompress(packed).split(SEPARATOR)]
