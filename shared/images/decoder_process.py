"""The decoder process, seen from its caller: start it, ask it, wait for it, stop it.

Both sides send frames: four bytes of length, then that many bytes. The decoder's first frame says
that it is ready. A request is two frames: an image in JSON, and its content if it was read already.
The decoder answers with two frames: the verdict in JSON, which is empty if the image is good, and
what was made of the image.
"""

import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from shoal.shared.images.files import ImageLimits, ReadFile, StrPath
from shoal.shared.images.values import ValueRanges

LENGTH = struct.Struct("!I")
WAIT_SECONDS = 1.0
DEATH_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class DecoderOrder:
    """What a decoder is told on its command line, as JSON.

    Attributes:
        function: Makes bytes of an image, as "module:name"; takes its path, ``image_size`` and
            ``limits``.
        image_size: Width and height in pixels to make images small to.
        max_bytes: As in ``ImageLimits``.
        max_pixels: As in ``ImageLimits``.
        roots: As in ``ImageLimits``.
        seconds: Time for one image.
        memory_bytes: Memory for one image.
    """

    function: str
    image_size: int
    max_bytes: int
    max_pixels: int
    roots: tuple[str, ...]
    seconds: float
    memory_bytes: int

    @property
    def limits(self) -> ImageLimits:
        """The limits within which an image is read."""
        return ImageLimits(self.max_bytes, self.max_pixels, tuple(map(Path, self.roots)))


@dataclass(frozen=True)
class DecoderRequest:
    """One image to decode.

    Attributes:
        path: Where it is, or was read.
        ranges: Which values are black and white in it, if it has more than eight bits.
    """

    path: StrPath
    ranges: ValueRanges

    def to_frames(self) -> tuple[bytes, bytes]:
        """Write the request as the contents of two frames."""
        content = self.path.content if isinstance(self.path, ReadFile) else None
        fields = [os.fspath(self.path), self.ranges.to_text(), content is not None]
        return json.dumps(fields).encode(), content or b""

    @classmethod
    def from_frames(cls, fields: bytes, content: bytes) -> Self:
        """Read a request that ``to_frames`` wrote."""
        path, ranges, is_read = json.loads(fields)
        image = ReadFile(path, content) if is_read else Path(path)
        return cls(image, ValueRanges.from_text(ranges))


class DecoderProcess:
    """A running ``shoal.worker.images.decoder``, and the pipes to it."""

    def __init__(self, order: DecoderOrder, checkpoint: Callable[[], None]) -> None:
        """Start the process; ``checkpoint`` is called about once a second while it is awaited."""
        self._checkpoint = checkpoint
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "shoal.worker.images.decoder", json.dumps(asdict(order))],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_make_environment(),
            # Ctrl-C in a terminal is for the caller; here it would look like a bad image.
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout  # noqa: PT018, S101  for mypy
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._selector = selectors.PollSelector()
        self._selector.register(self._replies, selectors.EVENT_READ)

    def is_alive(self) -> bool:
        """Return whether the process still runs."""
        return self._process.poll() is None

    def ask(self, image: DecoderRequest, seconds: float) -> tuple[dict[str, str], bytes]:
        """Request an image, and wait for the verdict and what was made of it.

        Returns:
            The verdict, empty if the image is good, else its ``reason`` and ``detail``; and what
            was made of the image, empty if it is not good.

        Raises:
            EOFError, BrokenPipeError: The process has died.
            TimeoutError: It takes longer than ``seconds``.
        """
        for content in image.to_frames():
            self._send(LENGTH.pack(len(content)))
            self._send(content)
        deadline = time.monotonic() + seconds
        return json.loads(self.receive_frame(deadline)), self.receive_frame(deadline)

    def _send(self, content: bytes) -> None:
        left = memoryview(content)
        while left:
            # A signal may end the write of much before all is written.
            left = left[self._requests.write(left) :]

    def receive_frame(self, deadline: float) -> bytes:
        """Wait for the next frame; raises as ``ask`` does.

        Args:
            deadline: In seconds of ``time.monotonic``.
        """
        (length,) = LENGTH.unpack(self._receive(LENGTH.size, deadline))
        return self._receive(length, deadline)

    def _receive(self, n_bytes: int, deadline: float) -> bytes:
        content = b""
        while len(content) < n_bytes:
            self._await_reply(deadline)
            piece = self._replies.read(n_bytes - len(content))
            if not piece:
                raise EOFError
            content += piece
        return content

    def _await_reply(self, deadline: float) -> None:
        while not self._selector.select(min(WAIT_SECONDS, max(0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                raise TimeoutError
            self._checkpoint()

    def stop(self, grace_seconds: float = 0.0) -> str:
        """Stop the process, by force after ``grace_seconds``, and say how it ended."""
        self._requests.close()
        self._replies.close()
        with suppress(subprocess.TimeoutExpired):
            return _describe_end(self._process.wait(grace_seconds))
        self._process.kill()
        # Not for ever: a process that waits for a dead file server cannot be killed at all.
        with suppress(subprocess.TimeoutExpired):
            return _describe_end(self._process.wait(DEATH_SECONDS))
        return "cannot be killed"


def _make_environment() -> dict[str, str]:
    """Make the environment of a process that is told all settings on its command line.

    What decodes a stranger's images need not know the page's token or the password of Redis.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    # It imports what this process would, and nothing from the current directory (-P).
    path = os.pathsep.join(part or str(Path.cwd()) for part in sys.path)
    return {**inherited, "PYTHONPATH": path}


def _describe_end(status: int) -> str:
    if status < 0:
        return f"was killed by signal {-status} ({signal.strsignal(-status)})"
    return f"ended with status {status}"
