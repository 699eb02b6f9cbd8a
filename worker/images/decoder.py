"""The decoder process: loads the images that an IsolatedDecoder asks for, until its stdin ends."""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import shoal.worker.blas  # noqa: F401  before numpy
from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.decoder_process import LENGTH, DecoderOrder, DecoderRequest
from shoal.shared.images.files import ImageLimits, StrPath
from shoal.worker.images.loading import NO_MEMORY
from shoal.worker.memory import limit_memory_for_good

# Added to the caller's own limit, for a decoder whose caller has died.
ORPHAN_SECONDS = 5

# Returns an array or anything else that ``bytes`` copies.
Load = Callable[[StrPath, int, ImageLimits], Any]


def _main() -> None:
    """Answer the requests on stdin until there are no more."""
    order = DecoderOrder(**json.loads(sys.argv[1]))
    with os.fdopen(os.dup(1), "wb") as replies:
        # What an image library prints belongs in the log, not between the replies.
        os.dup2(2, 1)
        module, _, name = order.function.partition(":")
        load: Load = getattr(import_module(module), name)
        _limit_process(order.memory_bytes)
        _send_frames(replies, b"ready")
        while request := _receive_request(sys.stdin.buffer):
            # Sent by the kernel, so it works without Python's lock and after the caller's death.
            signal.alarm(int(order.seconds) + 1 + ORPHAN_SECONDS)
            verdict, made = _answer(load, DecoderRequest.from_frames(*request), order)
            signal.alarm(0)
            _send_frames(replies, json.dumps(verdict).encode(), made)


def _limit_process(memory_bytes: int) -> None:
    """Let a deadly image end this process and no other."""
    # Some systems have this limit and refuse to set it.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit_memory_for_good(memory_bytes)
    # When Linux runs out of memory, it should kill this process and not its caller.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _answer(load: Load, image: DecoderRequest, order: DecoderOrder) -> tuple[dict[str, str], bytes]:
    limits = replace(order.limits, find_ranges=lambda: image.ranges)
    try:
        return {}, bytes(load(image.path, order.image_size, limits))
    except UnreadableImageError as error:
        return {"reason": error.reason, "detail": error.detail}, b""
    except MemoryError:
        return {"reason": FailureReason.TOO_MUCH_MEMORY, "detail": NO_MEMORY}, b""


def _send_frames(stream: BinaryIO, *contents: bytes) -> None:
    for content in contents:
        stream.write(LENGTH.pack(len(content)) + content)
    stream.flush()


def _receive_request(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """Read the next request; None at the end of the stream, in the middle of one too."""
    try:
        return _receive_frame(stream), _receive_frame(stream)
    except EOFError:
        return None


def _receive_frame(stream: BinaryIO) -> bytes:
    return _receive(stream, *LENGTH.unpack(_receive(stream, LENGTH.size)))


def _receive(stream: BinaryIO, n_bytes: int) -> bytes:
    content = stream.read(n_bytes)
    if len(content) < n_bytes:
        raise EOFError
    return content


if __name__ == "__main__":
    _main()
