"""Isolation: load images in a subprocess, so that an image that kills it costs no other."""

import numpy as np
from numpy.typing import NDArray

from shoal.shared.images.decoder_process import DecoderOrder
from shoal.shared.images.files import ImageLimits, StrPath
from shoal.shared.images.isolation import IsolatedDecoder
from shoal.worker import Checkpoint


class IsolatedLoader(IsolatedDecoder):
    """Loads images as ``load_image`` does, in a subprocess that it replaces when it dies."""

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
        self._shape = (image_size, image_size, 3)

    def load(self, path: StrPath) -> NDArray[np.uint8]:
        """Load one image as square RGB.

        Returns:
            Pixels of shape (image_size, image_size, 3), read-only.

        Raises:
            UnreadableImageError: As in ``load_image``; or the image killed its decoder or took
                too long.
            ShoalError: The decoder process cannot be started.
        """
        return np.frombuffer(self.decode(path, self._find_ranges()), np.uint8).reshape(self._shape)
