"""Model notes: a small JSON file next to an ONNX model, with what the graph does not say.

They are in ``NAME.json`` next to ``NAME.onnx``. Examples, for CLIP's image encoder and DINOv2:

    {"layout": "NCHW", "image_size": 224, "output": "image_embeds",
     "mean": [0.481, 0.458, 0.408], "std": [0.269, 0.261, 0.276]}

    {"layout": "NCHW", "image_size": 224, "output": "last_hidden_state", "pooling": "first",
     "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shoal.shared.errors import UsageError
from shoal.shared.wire import explain

Channels = Annotated[tuple[float, float, float], Meta(description="three numbers")]
ImageSize = Annotated[int, Meta(ge=1, le=2048, description="a whole number from 1 to 2048")]
BatchSize = Annotated[int, Meta(ge=1, le=64, description="a whole number from 1 to 64")]
Positive = Annotated[float, Meta(gt=0, description="above 0")]
Deviations = Annotated[
    tuple[Positive, Positive, Positive], Meta(description="three numbers above 0")
]


@dataclass(frozen=True, kw_only=True)
class ModelNotes:
    """What a model's graph does not say.

    Attributes:
        layout: Order of the axes; only for graphs whose input shape leaves it open.
        image_size: Width and height in pixels; only for graphs whose input shape leaves it open.
        scale: Bytes are first multiplied by this.
        mean: Then this is subtracted from red, green and blue. Graphs that take float32 need it.
        std: Last, red, green and blue are divided by this. Graphs that take float32 need it.
        output: Name of the output to use, if the graph has several.
        pooling: For an output of shape (n, tokens, n_features): use the first token, or the mean.
        batch_size: Images that the graph runs at once. More than one only if that is faster and no
            image changes a bit of another's result.
        square_root: Whether the square root of each value is compared, which suits values that
            are never negative; left out, a few random images decide whether they are.
    """

    layout: Annotated[Literal["NCHW", "NHWC"] | None, Meta(description="NCHW or NHWC")] = None
    image_size: ImageSize | None = None
    scale: Positive = 1 / 255
    mean: Channels | None = None
    std: Deviations | None = None
    output: str | None = None
    pooling: Annotated[Literal["first", "mean"] | None, Meta(description="first or mean")] = None
    batch_size: BatchSize = 1
    square_root: bool | None = None


def notes_path(model: Path) -> Path:
    """Return the path of a model's notes, which need not exist."""
    return model.with_suffix(".json")


def read_notes(model: Path) -> ModelNotes:
    """Read the notes of a model; the defaults if it has none.

    Raises:
        UsageError: They cannot be parsed, or have an unknown field.
    """
    path = notes_path(model)
    try:
        fields = msgspec.json.decode(path.read_bytes())
        _check_names(path, fields)
        return msgspec.convert(fields, ModelNotes)
    except FileNotFoundError:
        return ModelNotes()
    except msgspec.ValidationError as error:
        name, expected = explain(error, ModelNotes)
        fault = f"{name} must be {expected}" if name else "it must be a JSON object"
        raise UsageError(f"{path}: {fault}.") from None
    except msgspec.DecodeError:
        raise UsageError(f"{path} is not JSON.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).") from error


def _check_names(path: Path, fields: object) -> None:
    """Raise UsageError for an unknown field, which would otherwise be ignored."""
    known = ModelNotes.__dataclass_fields__
    if isinstance(fields, dict) and (unknown := fields.keys() - known):
        raise UsageError(
            f"{path} has the unknown field {min(unknown)!r}; there are {', '.join(known)}."
        )
