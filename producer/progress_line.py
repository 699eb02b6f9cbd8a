"""A job's progress as plain text: one line that changes, or lines where that is impossible."""

import sys
import time
from typing import TextIO

from shoal.shared.jobs import State, Status
from shoal.shared.text import show_count

NO_ANSWER = "Redis does not answer; trying again"
# Time between two lines about the same state, where a line cannot change.
NEWS_SECONDS = 10.0


def describe(status: Status) -> str:
    """Describe a status in one line."""
    images = status.images
    parts = [
        f"{status.state}: {images.loaded + images.failed:,} of {show_count(images.total, 'image')}"
    ]
    if status.images_per_second:
        parts.append(f"{status.images_per_second:,.0f} images/s")
    if status.eta_seconds is not None:
        parts.append(f"{status.eta_seconds:,.0f} s left")
    if images.failed:
        parts.append(f"{images.failed:,} failed")
    if images.known:
        parts.append(f"{images.known:,} known")
    return ", ".join(parts)


class ProgressLine:
    """Shows each status that it is given: in a notebook, on a terminal, or in a log.

    Use it in a ``with`` block, whose end ends the line.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        """Show progress on ``stream``; None is where a person sees it and no program reads it."""
        self._in_notebook = type(sys.stdout).__module__.startswith("ipykernel")
        # What a notebook shows of standard error looks like an error.
        self._stream = stream or (sys.stdout if self._in_notebook else sys.stderr)
        self._changes = self._in_notebook or self._stream.isatty()
        self._shown = ""
        self._state: State | None = None
        self._shown_at = 0.0

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._changes and self._shown:
            self._write("\n")

    def show(self, status: Status | None, note: str = "") -> None:
        """Show a status, and a note on it; None says that Redis does not answer."""
        line, state = (describe(status), status.state) if status else (NO_ANSWER, None)
        line = "; ".join(filter(None, [line, note]))
        if self._changes:
            if line != self._shown:
                self._write("\r" + line.ljust(len(self._shown)))
        elif state is not self._state or time.monotonic() - self._shown_at >= NEWS_SECONDS:
            self._shown_at = time.monotonic()
            self._write(f"{line}\n")
        self._shown, self._state = line, state

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
