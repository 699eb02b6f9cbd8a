"""Job models as JSON, for the store."""

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

T = TypeVar("T")


def encode(model: Any) -> bytes:
    """Encode ``model`` as JSON; file names that are not UTF-8 survive, as escaped surrogates."""
    # msgspec's own encoder refuses surrogates, with which Python represents such names.
    return json.dumps(msgspec.to_builtins(model), separators=(",", ":")).encode("ascii")


def decode(raw: bytes | str, model: type[T]) -> T:
    """Decode the ``model`` that ``raw`` encodes.

    Raises:
        msgspec.ValidationError: ``raw`` is JSON of another form.
        ValueError: ``raw`` is not JSON.
    """
    try:
        return msgspec.convert(json.loads(raw), model)
    except RecursionError as error:
        raise ValueError("this JSON is nested too deeply") from error


def explain(error: msgspec.ValidationError, model: type) -> tuple[str, str]:
    """Explain why what was given is no ``model``, in words of ours instead of msgspec's.

    Returns:
        The name of the field at fault, empty if it is none, and what it is expected to be: as the
        ``description`` of its type says.
    """
    path = re.search(r"`\$\.(\w+)", str(error))
    name = path[1] if path else ""
    hint = get_type_hints(model, include_extras=True).get(name)
    return name, next(_describe(hint), "another form")


def _describe(hint: Any) -> Iterator[str]:
    """Yield what the parts of a type are, as it says itself."""
    for note in getattr(hint, "__metadata__", ()):
        if isinstance(note, msgspec.Meta) and note.description:
            yield note.description
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        yield " or ".join(hint)
    elif hint is str:
        yield "text"
    for part in get_args(hint):
        yield from _describe(part)
