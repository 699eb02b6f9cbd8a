"""Model input: what an ONNX graph takes, and how an image becomes that."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.errors import UsageError
from shoal.worker.extractors.model_notes import Channels, ModelNotes, notes_path

RGB = 3
BYTES, FLOATS = "tensor(uint8)", "tensor(float)"
# Where the channels stand in a shape of four.
CHANNEL_AXES = {"NCHW": 1, "NHWC": 3}


class _MisfitError(ValueError):
    """Why a graph is no image model of ours; becomes a UsageError that names the file."""


@dataclass(frozen=True)
class ModelInput:
    """One image as the graph takes it.

    Attributes:
        name: Of the graph's input.
        image_size: Width and height in pixels.
        layout: ``NCHW`` or ``NHWC``.
        scale: Bytes are multiplied by this first.
        mean: Of each channel: subtracted next. None: the graph takes bytes as they are.
        std: Of each channel: divided by last.
    """

    name: str
    image_size: int
    layout: str
    scale: float
    mean: Channels | None
    std: Channels | None

    @classmethod
    def read(cls, path: Path, inputs: list[Any], notes: ModelNotes) -> Self:
        """Return the input of a graph.

        Args:
            path: The model's, for messages.
            inputs: Of the graph, as onnxruntime describes them: name, shape and type.
            notes: What the graph does not tell.

        Raises:
            UsageError: It is not one RGB image, or notes are missing.
        """
        try:
            if len(inputs) != 1:
                names = ", ".join(entry.name for entry in inputs)
                raise _MisfitError(f"takes {len(inputs)} inputs ({names}), not one image")
            layout = _choose_layout(inputs[0].shape, notes)
            image_size = _choose_image_size(inputs[0].shape, layout, notes)
            _check_values(inputs[0].type, notes)
        except _MisfitError as misfit:
            raise UsageError(f"{path} {misfit} (notes: {notes_path(path).name}).") from misfit
        return cls(inputs[0].name, image_size, layout, notes.scale, notes.mean, notes.std)

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """Return an image of any square size as the graph takes it, as a batch of one."""
        values: NDArray[Any] = resize(image, self.image_size)
        if self.mean is not None:
            scale, mean, std = (
                np.asarray(numbers, np.float32) for numbers in (self.scale, self.mean, self.std)
            )
            values = (values * scale - mean) / std
        if self.layout == "NCHW":
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values[np.newaxis])


def resize(image: NDArray[np.uint8], image_size: int) -> NDArray[np.uint8]:
    """Return an image of shape (image_size, image_size, 3)."""
    if image.shape[:2] == (image_size, image_size):
        return image
    square = Image.fromarray(image).resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(square)


def _choose_layout(shape: list[Any], notes: ModelNotes) -> str:
    """Return where the channels stand: where the shape has three, or as the notes say."""
    if len(shape) != len("NCHW"):
        raise _MisfitError(f"takes an input of shape {shape}, not of four dimensions")
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
    """Return the size that the shape fixes, or else the notes."""
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
    """Refuse values of another type, or whose normalisation nobody knows."""
    if kind not in {BYTES, FLOATS}:
        raise _MisfitError(f"takes {kind}, not uint8 or float32")
    given = (notes.mean is not None) + (notes.std is not None)
    if kind == FLOATS and given < 2:
        raise _MisfitError("takes float32: its notes must say `mean` and `std` of the channels")
    if kind == BYTES and given:
        raise _MisfitError("takes uint8, which `mean` and `std` do not apply to")
