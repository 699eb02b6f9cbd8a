"""Isolation: load images in a subprocess, so that an image that kills it costs no other."""

from shoal.shared.errors import ShoalError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.decoder_process import DecoderOrder
from shoal.shared.images.files import ImageLimits, StrPath
from shoal.shared.images.isolation import IsolatedDecoder
from shoal.worker import Checkpoint
from shoal.worker.images.pixels import SquareImage
from shoal.worker.memory import count_kills, describe_kills


class IsolatedLoader(IsolatedDecoder):
    """Loads images as ``load_square`` does, in a subprocess that it replaces when it dies."""

    def __init__(
        self,
        image_size: int,
        limits: ImageLimits,
        seconds: float,
        memory_bytes: int,
        checkpoint: Checkpoint = lambda: None,
        function: str = "shoal.worker.images.loading:load_packed",
    ) -> None:
        """Prepare; the subprocess starts with the first image.

        Args:
            image_size: As for ``load_square``.
            limits: As for ``load_square``.
            seconds: An image that takes longer is a failure.
            memory_bytes: An image that takes more is a failure.
            checkpoint: Called about once a second while an image is awaited; may raise to stop.
            function: Called in the subprocess, as "module:name".
        """
        order = DecoderOrder(
            function=function,
            image_size=image_size,
            max_bytes=limits.max_bytes,
            max_pixels=limits.max_pixels,
            roots=tuple(map(str, limits.roots)),
            seconds=seconds,
            memory_bytes=memory_bytes,
        )
        super().__init__(order, checkpoint)
        self._find_ranges = limits.find_ranges
        self._image_size = image_size

    def load(self, path: StrPath) -> SquareImage:
        """Load one image as square RGB.

        Raises:
            UnreadableImageError: As in ``load_square``; or the image killed its decoder or took
                too long.
            ShoalError: The decoder process cannot be started, or it was killed at the memory limit
                of this container, which others here use up, too.
        """
        ranges, kills = self._find_ranges(), count_kills()
        try:
            made = self.decode(path, ranges)
        except UnreadableImageError as error:
            if error.reason is FailureReason.KILLED_DECODER and count_kills() > kills:
                raise ShoalError(describe_kills()) from error
            raise
        return SquareImage.from_bytes(made, self._image_size)
