"""Isolation: decode images in a sub-process, so that a deadly one costs only itself."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shared.errors import ShoalError, UnreadableImageError
from shared.jobs import FailureReason
from worker.decoder import LENGTH, DecoderOrder
from worker.images import ImageLimits

START_SECONDS = 60.0
WAIT_SECONDS = 1.0
DEATH_SECONDS = 5.0


class IsolatedLoader:
    """Loads images as ``load_image`` does, in a sub-process that it replaces when it dies.

    Not of ``multiprocessing``: Celery's pool processes are daemonic and may have no children
    of that kind.
    """

    def __init__(
        self,
        image_size: int,
        limits: ImageLimits,
        seconds: float,
        memory_bytes: int,
        on_wait: Callable[[], object] = lambda: None,
        function: str = "worker.images:load_image",
    ) -> None:
        """Prepare; the sub-process starts with the first image.

        Args:
            image_size: As for ``load_image``.
            limits: As for ``load_image``.
            seconds: An image that takes longer is given up.
            memory_bytes: Address space of the sub-process.
            on_wait: Called about once a second while an image is awaited.
            function: What the sub-process calls, as "module:name".
        """
        self._on_wait = on_wait
        self._order = DecoderOrder(
            function=function,
            image_size=image_size,
            max_bytes=limits.max_bytes,
            max_pixels=limits.max_pixels,
            roots=tuple(map(str, limits.roots)),
            seconds=seconds,
            memory_bytes=memory_bytes,
        )
        self._decoder: DecoderProcess | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def load(self, path: Path) -> NDArray[np.uint8]:
        """Load one image as square RGB.

        Returns:
            Pixels of shape (image_size, image_size, 3), read-only.

        Raises:
            UnreadableImageError: As of ``load_image``; or the image killed its decoder, or
                took too long.
            ShoalError: No decoder can be started.
        """
        try:
            verdict, pixels = self._start().ask(path, self._order.seconds)
        except TimeoutError as error:
            self._stop()
            detail = f"not decoded within {self._order.seconds:g} seconds"
            raise UnreadableImageError(FailureReason.TIMED_OUT, detail) from error
        except (EOFError, BrokenPipeError) as error:
            detail = f"its decoder {self._stop(DEATH_SECONDS)}"
            raise UnreadableImageError(FailureReason.KILLED_DECODER, detail) from error
        # Whatever interrupts the caller: this reply would be taken for the next image's.
        except BaseException:
            self._stop()
            raise
        if verdict:
            raise UnreadableImageError(FailureReason(verdict["reason"]), verdict["detail"])
        size = self._order.image_size
        return np.frombuffer(pixels, np.uint8).reshape(size, size, 3)

    def _start(self) -> "DecoderProcess":
        if self._decoder and self._decoder.is_alive():
            return self._decoder
        self._stop()
        self._decoder = DecoderProcess(self._order, self._on_wait)
        try:
            # So that an image's time does not begin before its decoder is there.
            self._decoder.receive_frame(time.monotonic() + START_SECONDS)
        except (EOFError, TimeoutError) as error:
            detail = self._stop(DEATH_SECONDS)
            raise ShoalError(f"the decoder process did not start: it {detail}") from error
        return self._decoder

    def _stop(self, grace_seconds: float = 0.0) -> str:
        decoder, self._decoder = self._decoder, None
        return decoder.stop(grace_seconds) if decoder else ""


class DecoderProcess:
    """A running ``worker.decoder``, and the pipes to it."""

    def __init__(self, order: DecoderOrder, on_wait: Callable[[], object]) -> None:
        self._on_wait = on_wait
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "worker.decoder", json.dumps(asdict(order))],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # The modules of this process, and not what lies in the current directory (-P).
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(p or str(Path.cwd()) for p in sys.path),
            },
            # An interrupt from the terminal is for the caller; it would look like a bad image.
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout  # noqa: PT018, S101  for mypy
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._selector = selectors.PollSelector()
        self._selector.register(self._replies, selectors.EVENT_READ)

    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, path: Path, seconds: float) -> tuple[dict[str, str], bytes]:
        """Return the verdict on an image, and its pixels.

        Raises:
            EOFError, BrokenPipeError: The process has died.
            TimeoutError: It takes longer than ``seconds``.
        """
        request = json.dumps(os.fspath(path)).encode()
        self._requests.write(LENGTH.pack(len(request)) + request)
        deadline = time.monotonic() + seconds
        return json.loads(self.receive_frame(deadline)), self.receive_frame(deadline)

    def receive_frame(self, deadline: float) -> bytes:
        """Return the next frame; raises as ``ask`` does."""
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
            self._on_wait()

    def stop(self, grace_seconds: float = 0.0) -> str:
        """End the process, by force once it had ``grace_seconds``, and return how it ended."""
        self._requests.close()
        self._replies.close()
        with suppress(subprocess.TimeoutExpired):
            return describe_end(self._process.wait(grace_seconds))
        self._process.kill()
        # Not for ever: a process that waits for a dead file server cannot even be killed.
        with suppress(subprocess.TimeoutExpired):
            return describe_end(self._process.wait(DEATH_SECONDS))
        return "cannot be ended"


def describe_end(status: int) -> str:
    """Return how a process ended, from its exit status."""
    if status < 0:
        return f"was killed by signal {-status} ({signal.strsignal(-status)})"
    return f"ended with status {status}"
