"""Shoal's models as JSON for other programs."""

import json
from typing import Any

import msgspec

from shoal.shared.encoding import escape_name


def export_json(model: Any) -> bytes:
    """Encode ``model`` as JSON; names that are not UTF-8 are escaped, so that any program reads it.

    ``encode`` of ``shoal.shared.wire`` is for the store: many programs refuse its surrogates.
    """
    return json.dumps(_escape(msgspec.to_builtins(model)), separators=(",", ":")).encode("ascii")


def _escape(value: Any) -> Any:
    match value:
        case str():
            return escape_name(value)
        case list() | tuple():
            return [_escape(item) for item in value]
        case dict():
            return {_escape(key): _escape(item) for key, item in value.items()}
    return value
