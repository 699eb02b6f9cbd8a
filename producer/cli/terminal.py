"""What commands print, line by line, and what a terminal gets of it.

A file's name may have characters that a terminal obeys: it could clear the screen, hide a line or
turn its order around. A terminal is shown them as escapes; files and pipes get them as they are.
"""

import io
import os
import sys
from codecs import getincrementaldecoder
from typing import TYPE_CHECKING, TextIO

import click

from shoal.shared.output.streams import take_any_name
from shoal.shared.text import show_controls

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# File descriptors, whatever ``sys.stdout`` and ``sys.stderr`` are.
STDOUT, STDERR = 1, 2
LOSSLESS = "surrogateescape"


class _Terminal(io.RawIOBase):
    """Takes UTF-8, and shows on a terminal what that must not obey."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._decoder = getincrementaldecoder("utf-8")(LOSSLESS)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer") -> int:
        raw = bytes(data)
        lines = self._decoder.decode(raw).split("\n")
        self.stream.write("\n".join(map(show_controls, lines)))
        self.stream.flush()
        return len(raw)


def guard_streams() -> None:
    """Let control characters reach a standard stream only if it is no terminal."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream.isatty():
            take_any_name(stream)
            buffer = io.BufferedWriter(_Terminal(stream))
            guarded = io.TextIOWrapper(buffer, "utf-8", LOSSLESS, line_buffering=True)
            setattr(sys, name, guarded)
        elif name == "stdout":
            take_any_name(stream)  # standard error does so by itself


def raw_stream(stream: TextIO) -> TextIO:
    """Return what a stream writes to, for output that moves the terminal's cursor by intent."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.stream if isinstance(raw, _Terminal) else stream


def print_line(line: object = "", *, err: bool = False) -> None:
    """Print a line; on a terminal it stays one, whatever names it has."""
    stream = sys.stderr if err else sys.stdout
    text = line.decode() if isinstance(line, bytes) else str(line)
    # In colour, since click takes escape sequences out of names otherwise.
    click.echo(show_controls(text) if stream.isatty() else text, err=err, color=True)


def print_note(line: str) -> None:
    """Print a line to standard error; standard output has only the result.

    If nobody reads it, the command goes on.
    """
    try:
        print_line(line, err=True)
    except BrokenPipeError:
        drop_output(STDERR)


def drop_output(descriptor: int = STDOUT) -> None:
    """Let what is left go nowhere: the interpreter tries to write it again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
