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
from shoal.shared.images.files import ImageLimits
from shoal.worker.images.loading import NO_MEMORY
from shoal.worker.memory import limit_memory_for_good

# Added to the caller's own limit, for a decoder whose caller has died.
ORPHAN_SECONDS = 5

# Returns an array or anything else that ``bytes`` copies.
Load = Callable[[Path, int, ImageLimits], Any]


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
        while (request := _receive_frame(sys.stdin.buffer)) is not None:
            # Sent by the kernel, so it works without Python's lock and after the caller's death.
            signal.alarm(int(order.seconds) + 1 + ORPHAN_SECONDS)
            verdict, made = _answer(load, DecoderRequest.from_bytes(request), order)
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
        return {}, bytes(load(Path(image.path), order.image_size, limits))
    except UnreadableImageError as error:
        return {"reason": error.reason, "detail": error.detail}, b""
    except MemoryError:
        return {"reason": FailureReason.TOO_MUCH_MEMORY, "detail": NO_MEMORY}, b""


def _send_frames(stream: BinaryIO, *contents: bytes) -> None:
    for content in contents:
        stream.write(LENGTH.pack(len(content)) + content)
    stream.flush()


def _receive_frame(stream: BinaryIO) -> bytes | None:
    """Read the next frame; None at the end of the stream."""
    length = stream.read(LENGTH.size)
    if len(length) < LENGTH.size:
        return None
    return stream.read(*LENGTH.unpack(length))


if __name__ == "__main__":
    _main()
