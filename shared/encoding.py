"""The encoding of file names: UTF-8 for Python, valid text for other programs, and packed lists.

Commands and workers tell each other the folder's name as text, so all of them must decode names
alike. In Python's UTF-8 mode they do, whatever their locales: bytes that are not UTF-8 become
surrogates, which Python turns into the same bytes again.
"""

import os
import re
import sys
import zlib
from collections.abc import Iterable

UTF8_MODE = {"PYTHONUTF8": "1"}
NOT_UTF8 = (
    f"Python decodes file names as {sys.getfilesystemencoding()} here, so that commands and workers"
    " would take them for other files: set PYTHONUTF8=1."
)
# Surrogates that stand for bytes, and what could be mistaken for an escaped one.
_UNSAFE = re.compile(r"[\udc80-\udcff]|\\(?=x[0-9a-f]{2})")


def uses_utf8() -> bool:
    """Return whether Python decodes file names as UTF-8, in whatever locale."""
    return sys.getfilesystemencoding() == "utf-8"


def restart_in_utf8() -> None:
    """Start this program again in Python's UTF-8 mode, unless it decodes names as UTF-8."""
    options = ["-X", "utf8"]
    if not uses_utf8() and sys.orig_argv[1:3] != options:
        command = [sys.executable, *options, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, os.environ | UTF8_MODE)  # noqa: S606  no shell is needed


def escape_name(text: str) -> str:
    r"""Escape in a text, such as a file's name, what is not UTF-8, so that it can be undone.

    A byte that is not UTF-8 becomes ``\xNN``, as by Python's "backslashreplace". A backslash that
    stands before such two digits already becomes ``\x5c``.
    """
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]) & 0xFF:02x}"


def pack_paths(paths: Iterable[str]) -> bytes:
    """Pack paths into bytes; names that are not UTF-8 survive."""
    # NUL is the one byte that no path has, and no decoder takes it for a part of a character.
    return zlib.compress(os.fsencode("\0".join(paths)), level=1)


def unpack_paths(packed: bytes) -> list[str]:
    """Unpack what ``pack_paths`` returned.

    Raises:
        zlib.error: The bytes are not those of packed paths.
    """
    return os.fsdecode(zlib.decompress(packed)).split("\0")
