"""Settings: every ``SHOAL_`` variable, with its type, default and meaning."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from shoal.shared.errors import SettingsError

PREFIX = "SHOAL_"
PATHS = {"home", "embedding_model"}
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}

Count = Annotated[int, Meta(ge=1)]
# Bounds of what an operator sets: a sign of life each second must do for a lease, Redis
# refuses times of many centuries, and libraries need some memory whatever the image.
ImageMemory = Annotated[int, Meta(ge=2**26)]
ImageSeconds = Annotated[float, Meta(ge=0.1, le=86_400)]
KeptSeconds = Annotated[float, Meta(ge=1, le=315_360_000)]
LeaseSeconds = Annotated[float, Meta(ge=3, le=86_400)]
SweepSeconds = Annotated[float, Meta(ge=0.5, le=3_600)]
# Short ones can be guessed.
Token = Annotated[str, Meta(min_length=16)]


def setting(default: Any, meaning: str) -> Any:
    """Declare a setting whose meaning stands in the README too."""
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an operator may set, read once by each entry point."""

    redis_url: str | None = setting(
        None, "Redis to use: `redis://`, `rediss://` or `unix://`. Unset: the embedded server."
    )
    home: Path | None = setting(
        None, "Where the embedded server keeps its data. Unset: the user's data directory."
    )
    image_roots: tuple[Path, ...] = setting(
        (), "Workers read images only under these directories (separated by `:`). Unset: anywhere."
    )
    embedding_model: Path | None = setting(
        None, "ONNX image model of `embedding`, on every worker. Unset: the one that Shoal ships."
    )
    fit_memory: Count = setting(
        2**30, "Memory for the rows that the model is fitted on (`500M`, `2G`); a sample above it."
    )
    max_image_bytes: Count = setting(2**29, "A larger file is a failure, not decoded.")
    max_image_pixels: Count = setting(250_000_000, "An image of more pixels is a failure.")
    image_memory: ImageMemory = setting(
        2**32, "An image that takes more memory is a failure (Linux)."
    )
    image_seconds: ImageSeconds = setting(60.0, "An image that takes longer is a failure.")
    features_seconds: KeptSeconds = setting(
        86_400.0, "Features are kept this long after the job's end."
    )
    results_seconds: KeptSeconds = setting(
        2_592_000.0, "Results are kept this long after the job's end."
    )
    lease_seconds: LeaseSeconds = setting(
        15.0, "A batch or a fit without a sign of life for this long is given to another process."
    )
    sweep_seconds: SweepSeconds = setting(5.0, "Every worker looks for lost work this often.")
    web_token: Token | None = setting(
        None,
        "Whoever knows it may use `shoal serve`; 16 characters or more."
        " Unset: all programs of this machine may.",
    )


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings in ``environ``.

    Raises:
        SettingsError: A variable does not parse or is out of bounds, or no setting has its name.
    """
    names = {f.name for f in fields(Settings)}
    values: dict[str, object] = {}
    for variable, text in environ.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or not text:
            continue
        if name not in names:
            raise SettingsError(f"{variable} is not a setting; {_known_variables()}")
        try:
            values[name] = _parse(name, text)
        # A number of thousands of digits, a NUL in a path, the home of nobody.
        except (ValueError, RuntimeError) as error:
            raise SettingsError(f"{variable}: {error}") from error
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        message, _, name = str(error).rstrip("`").partition(" - at `$.")
        raise SettingsError(f"{PREFIX}{name.upper()}: {message}") from error


def make_environment(settings: Settings) -> dict[str, str]:
    """Return the variables from which another process reads the same ``settings``."""
    values = {PREFIX + f.name.upper(): getattr(settings, f.name) for f in fields(Settings)}
    return {variable: _spell(value) for variable, value in values.items()}


def _spell(value: object) -> str:
    """Return the text that stands for a setting's value; empty where it is not set."""
    if isinstance(value, tuple):
        return os.pathsep.join(map(str, value))
    return "" if value is None else str(value)


def _known_variables() -> str:
    """Return the names of all settings, for an error's remedy."""
    return "the settings are " + ", ".join(PREFIX + f.name.upper() for f in fields(Settings))


def _parse(name: str, text: str) -> object:
    """Return the value that ``text`` stands for, as far as its name tells the form."""
    if name.endswith(("_bytes", "_memory")):
        return _parse_bytes(text)
    if name == "image_roots":
        return _parse_roots(text)
    # What comes from a file often ends in a newline.
    return Path(text).expanduser().absolute() if name in PATHS else text.strip()


def _parse_roots(text: str) -> tuple[Path, ...]:
    """Return the directories that ``text`` lists.

    Raises:
        SettingsError: It lists none, which must not come to mean anywhere.
    """
    listed = (Path(root).expanduser() for root in text.split(os.pathsep) if root.strip())
    roots = tuple(root.resolve() for root in listed)
    if not roots:
        raise SettingsError(f"{PREFIX}IMAGE_ROOTS: no directory in {text!r}.")
    return roots


def _parse_bytes(text: str) -> int:
    """Return the bytes that ``1048576``, ``512K``, ``500M``, ``2G`` or ``2GiB`` stand for.

    Raises:
        ValueError: ``text`` is of another form.
    """
    match = re.fullmatch(r"\s*(\d+)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if not match:
        raise ValueError(f"{text!r} is no number of bytes as 1048576, 500M or 2G are")
    return int(match[1]) * UNITS[match[2].upper()]
