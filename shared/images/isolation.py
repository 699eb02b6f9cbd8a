"""Isolation: decode images in a subprocess, so that an image that kills it costs no other."""

import time
from collections.abc import Callable
from typing import Self

from shoal.shared.errors import ShoalError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.decoder_process import (
    DEATH_SECONDS,
    DecoderOrder,
    DecoderProcess,
    DecoderRequest,
)
from shoal.shared.images.files import StrPath
from shoal.shared.images.values import UNKNOWN, ValueRanges
from shoal.shared.settings import Settings

START_SECONDS = 60.0


def make_order(settings: Settings, function: str, image_size: int = 1) -> DecoderOrder:
    """Order that a function makes something of images, within the limits that workers have.

    Args:
        settings: Which have the limits.
        function: As in ``DecoderOrder``.
        image_size: As in ``DecoderOrder``; of no meaning to functions that only measure.
    """
    return DecoderOrder(
        function=function,
        image_size=image_size,
        max_bytes=settings.max_image_bytes,
        max_pixels=settings.max_image_pixels,
        roots=tuple(map(str, settings.image_roots)),
        seconds=settings.image_seconds,
        memory_bytes=settings.image_memory,
    )


class IsolatedDecoder:
    """Makes bytes of images in a subprocess that it replaces when it dies.

    It does without ``multiprocessing``, whose children Celery's pool processes may not have, as
    they are daemonic.
    """

    def __init__(self, order: DecoderOrder, checkpoint: Callable[[], None] = lambda: None) -> None:
        """Prepare; the subprocess starts with the first image.

        Args:
            order: What to make of the images, and within which limits.
            checkpoint: Called about once a second while an image is awaited; may raise to stop.
        """
        self._checkpoint = checkpoint
        self._order = order
        self._decoder: DecoderProcess | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def decode(self, path: StrPath, ranges: ValueRanges = UNKNOWN) -> bytes:
        """Return what the function of the order makes of one image.

        Args:
            path: Where it is.
            ranges: Which values are black and white in it, if it has more than eight bits.

        Raises:
            UnreadableImageError: The function raised it; or the image killed its decoder or took
                too long.
            ShoalError: The decoder process cannot be started.
        """
        is_fresh = self._decoder is None
        image = DecoderRequest(path, ranges)
        try:
            return self._decode(image)
        except UnreadableImageError as error:
            # An image may damage a process that dies at a later one: only the death of a fresh
            # process proves which image was at fault.
            if is_fresh or error.reason is not FailureReason.KILLED_DECODER:
                raise
        return self._decode(image)

    def _decode(self, image: DecoderRequest) -> bytes:
        try:
            verdict, made = self._start().ask(image, self._order.seconds)
        except TimeoutError as error:
            self.stop()
            detail = f"not decoded within {self._order.seconds:g} seconds"
            raise UnreadableImageError(FailureReason.TIMED_OUT, detail) from error
        except (EOFError, BrokenPipeError) as error:
            detail = f"its decoder {self.stop(DEATH_SECONDS)}"
            raise UnreadableImageError(FailureReason.KILLED_DECODER, detail) from error
        # Whatever interrupts the caller: a late reply would be taken for the next image's.
        except BaseException:
            self.stop()
            raise
        if verdict:
            raise UnreadableImageError(FailureReason(verdict["reason"]), verdict["detail"])
        return made

    def _start(self) -> DecoderProcess:
        if self._decoder and self._decoder.is_alive():
            return self._decoder
        self.stop()
        self._decoder = DecoderProcess(self._order, self._checkpoint)
        try:
            # So that the time of the first image does not include the start of its decoder.
            self._decoder.receive_frame(time.monotonic() + START_SECONDS)
        except (EOFError, TimeoutError) as error:
            detail = self.stop(DEATH_SECONDS)
            raise ShoalError(f"the decoder process did not start: it {detail}") from error
        return self._decoder

    def stop(self, grace_seconds: float = 0.0) -> str:
        """Stop the subprocess, by force after ``grace_seconds``; the next image starts another.

        Returns:
            How it ended; empty if there is none.
        """
        decoder, self._decoder = self._decoder, None
        return decoder.stop(grace_seconds) if decoder else ""
