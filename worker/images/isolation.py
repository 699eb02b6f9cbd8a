"""Isolation: decode images in a subprocess, so that an image that kills it costs no other."""

import time
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import ShoalError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ImageLimits, StrPath
from shoal.worker import Checkpoint
from shoal.worker.images.decoder import DecoderOrder
from shoal.worker.images.decoder_process import DEATH_SECONDS, DecoderProcess

START_SECONDS = 60.0


class IsolatedLoader:
    """Loads images as ``load_image`` does, in a subprocess that it replaces when it dies.

    It does without ``multiprocessing``, whose children Celery's pool processes may not have, as
    they are daemonic.
    """

    def __init__(
        self,
        image_size: int,
        limits: ImageLimits,
        seconds: float,
        memory_bytes: int,
        checkpoint: Checkpoint = lambda: None,
        function: str = "shoal.worker.images.loading:load_image",
    ) -> None:
        """Prepare; the subprocess starts with the first image.

        Args:
            image_size: As for ``load_image``.
            limits: As for ``load_image``.
            seconds: An image that takes longer is a failure.
            memory_bytes: An image that takes more is a failure.
            checkpoint: Called about once a second while an image is awaited; may raise to stop.
            function: Called in the subprocess, as "module:name".
        """
        self._checkpoint = checkpoint
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

    def load(self, path: StrPath) -> NDArray[np.uint8]:
        """Load one image as square RGB.

        Returns:
            Pixels of shape (image_size, image_size, 3), read-only.

        Raises:
            UnreadableImageError: As in ``load_image``; or the image killed its decoder or took
                too long.
            ShoalError: The decoder process cannot be started.
        """
        is_fresh = self._decoder is None
        try:
            return self._load(path)
        except UnreadableImageError as error:
            # An image may damage a process that dies at a later one: only the death of a fresh
            # process proves which image was at fault.
            if is_fresh or error.reason is not FailureReason.KILLED_DECODER:
                raise
        return self._load(path)

    def _load(self, path: StrPath) -> NDArray[np.uint8]:
        try:
            verdict, pixels = self._start().ask(path, self._order.seconds)
        except TimeoutError as error:
            self._stop()
            detail = f"not decoded within {self._order.seconds:g} seconds"
            raise UnreadableImageError(FailureReason.TIMED_OUT, detail) from error
        except (EOFError, BrokenPipeError) as error:
            detail = f"its decoder {self._stop(DEATH_SECONDS)}"
            raise UnreadableImageError(FailureReason.KILLED_DECODER, detail) from error
        # Whatever interrupts the caller: a late reply would be taken for the next image's.
        except BaseException:
            self._stop()
            raise
        if verdict:
            raise UnreadableImageError(FailureReason(verdict["reason"]), verdict["detail"])
        size = self._order.image_size
        return np.frombuffer(pixels, np.uint8).reshape(size, size, 3)

    def _start(self) -> DecoderProcess:
        if self._decoder and self._decoder.is_alive():
            return self._decoder
        self._stop()
        self._decoder = DecoderProcess(self._order, self._checkpoint)
        try:
            # So that the time of the first image does not include the start of its decoder.
            self._decoder.receive_frame(time.monotonic() + START_SECONDS)
        except (EOFError, TimeoutError) as error:
            detail = self._stop(DEATH_SECONDS)
            raise ShoalError(f"the decoder process did not start: it {detail}") from error
        return self._decoder

    def _stop(self, grace_seconds: float = 0.0) -> str:
        decoder, self._decoder = self._decoder, None
        return decoder.stop(grace_seconds) if decoder else ""
