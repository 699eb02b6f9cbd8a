"""Model input: what an ONNX graph takes, and how an image is turned into that."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.errors import UsageError
from shoal.worker.extractors.extractor import Images
from shoal.worker.extractors.model_notes import Channels, ModelNotes, notes_path

RGB = 3
BYTES, FLOATS = "tensor(uint8)", "tensor(float)"
# The axis of the channels, of four.
CHANNEL_AXES = {"NCHW": 1, "NHWC": 3}


class _MisfitError(ValueError):
    """Why a graph cannot be used; becomes a UsageError that names the file."""


@dataclass(frozen=True)
class ModelInput:
    """How a graph takes an image.

    Attributes:
        name: Name of the graph's input.
        image_size: Width and height in pixels.
        layout: ``NCHW`` or ``NHWC``.
        scale: Bytes are first multiplied by this.
        mean: Then this is subtracted from each channel. None: the graph takes bytes as they are.
        std: Last, each channel is divided by this.
    """

    name: str
    image_size: int
    layout: str
    scale: float
    mean: Channels | None
    std: Channels | None

    @classmethod
    def read(cls, path: Path, inputs: list[Any], notes: ModelNotes) -> Self:
        """Read what a graph takes from its inputs and its notes.

        Args:
            path: The model's file, for messages.
            inputs: The graph's inputs as onnxruntime describes them: name, shape and type.
            notes: What the graph does not say.

        Raises:
            UsageError: The graph does not take one RGB image, or notes are missing.
        """
        try:
            if len(inputs) != 1:
                names = ", ".join(entry.name for entry in inputs)
                raise _MisfitError(f"takes {len(inputs)} inputs ({names}), not one image")
            layout = _choose_layout(inputs[0].shape, notes)
            image_size = _choose_image_size(inputs[0].shape, layout, notes)
            _check_values(inputs[0].type, notes)
            _check_batch_size(inputs[0].shape, notes)
        except _MisfitError as misfit:
            raise UsageError(f"{path} {misfit} (notes: {notes_path(path).name}).") from misfit
        return cls(inputs[0].name, image_size, layout, notes.scale, notes.mean, notes.std)

    def prepare(self, images: Images) -> NDArray[Any]:
        """Turn images of any square size into what the graph takes.

        Args:
            images: RGB of shape (n_samples, size, size, 3).

        Returns:
            uint8 or float32, of shape (n_samples, 3, image_size, image_size) or, with the layout
            NHWC, (n_samples, image_size, image_size, 3).
        """
        values: NDArray[Any] = resize_images(images, self.image_size)
        if self.mean is not None:
            scale, mean, std = (
                np.asarray(numbers, np.float32) for numbers in (self.scale, self.mean, self.std)
            )
            values = (values * scale - mean) / std
        if self.layout == "NCHW":
            values = values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(values)


def resize_images(images: Images, image_size: int) -> Images:
    """Resize square images to ``image_size``, each by itself.

    Args:
        images: RGB of shape (n_samples, size, size, 3).
        image_size: Width and height in pixels.
    """
    if images.shape[1:3] == (image_size, image_size):
        return images
    return np.stack([_resize(image, image_size) for image in images])


def _resize(image: NDArray[np.uint8], image_size: int) -> NDArray[np.uint8]:
    square = Image.fromarray(image).resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(square)


def _choose_layout(shape: list[Any], notes: ModelNotes) -> str:
    """Choose the layout in which the shape has three channels, or the one in the notes."""
    if len(shape) != len("NCHW"):
        raise _MisfitError(f"takes an input of shape {shape}, which does not have four dimensions")
    if shape[0] != 1 and isinstance(shape[0], int):
        raise _MisfitError(f"takes {shape[0]} images at once: export it for one, or for any number")
    fitting = [layout for layout, axis in CHANNEL_AXES.items() if shape[axis] == RGB]
    if notes.layout is None and len(fitting) == 1:
        return fitting[0]
    if notes.layout is None:
        raise _MisfitError(f"takes an input of shape {shape}: its notes must say `layout`")
    if isinstance(shape[CHANNEL_AXES[notes.layout]], int) and notes.layout not in fitting:
        raise _MisfitError(f"takes an input of shape {shape}, which is not {notes.layout} of RGB")
    return notes.layout


def _choose_image_size(shape: list[Any], layout: str, notes: ModelNotes) -> int:
    """Choose the size that the shape fixes, else the one in the notes."""
    sides = shape[2:] if layout == "NCHW" else shape[1:3]
    fixed = {side for side in sides if isinstance(side, int)}
    sizes = fixed | ({notes.image_size} if notes.image_size else set())
    if not sizes:
        raise _MisfitError("takes images of any size: its notes must say `image_size`")
    if len(sizes) > 1:
        raise _MisfitError(
            f"takes images of {sides[0]} × {sides[1]} pixels: all sides must be one size, which"
            f" its notes must not contradict ({notes.image_size})"
        )
    return int(sizes.pop())


def _check_values(kind: str, notes: ModelNotes) -> None:
    """Check that the type is supported, and that the notes say how to normalise floats."""
    if kind not in {BYTES, FLOATS}:
        raise _MisfitError(f"takes {kind}, not uint8 or float32")
    given = (notes.mean is not None) + (notes.std is not None)
    if kind == FLOATS and given < 2:
        raise _MisfitError("takes float32: its notes must say `mean` and `std` of the channels")
    if kind == BYTES and given:
        raise _MisfitError("takes uint8, which `mean` and `std` do not apply to")


def _check_batch_size(shape: list[Any], notes: ModelNotes) -> None:
    if shape[0] == 1 and notes.batch_size > 1:
        raise _MisfitError("takes 1 image at once: its notes must not say another `batch_size`")
