"""Job models as JSON, for the store."""

import json
from typing import Any, TypeVar

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
