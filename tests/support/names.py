"""Names of files as Shoal writes them, turned into names again as the reference says."""

import os
import re


def unescape_name(text: str) -> bytes:
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes.fromhex(m[1].decode()), text.encode())


def name_of(cell: str) -> str:
    """Return the name that a cell of a CSV stands for, as Python decodes it."""
    return os.path.normpath(os.fsdecode(unescape_name(cell)))
