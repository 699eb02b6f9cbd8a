"""Streams that take any file name, whatever their encoding: a name must not end what was done."""

import codecs
from typing import Any

# The name of what encodes the characters that an encoding lacks.
ANY_NAME = "shoal.any-name"


def _encode(error: UnicodeError) -> tuple[bytes, int]:
    """Encode bytes that are no text as they are, and characters as escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return b"".join(map(_encode_character, lacking)), error.end


def _encode_character(character: str) -> bytes:
    if "\udc80" <= character <= "\udcff":  # as Python represents bytes that are no text
        return character.encode("utf-8", "surrogateescape")
    return character.encode("ascii", "backslashreplace")


codecs.register_error(ANY_NAME, _encode)


def take_any_name(stream: Any) -> None:
    """Let a text stream escape what its encoding lacks; one of ASCII becomes one of UTF-8."""
    if hasattr(stream, "reconfigure"):
        # As click does by itself, but click then replaces names that are not UTF-8.
        is_ascii = codecs.lookup(stream.encoding).name == "ascii"
        stream.reconfigure(encoding="utf-8" if is_ascii else None, errors=ANY_NAME)
