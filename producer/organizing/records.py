"""The records of a journal: which lines are as Shoal writes them, whoever has written them."""

import json
import os
from dataclasses import fields
from typing import Any

import msgspec
import xxhash

from shoal.producer.organizing.steps import Header

VERSION = 1
# Of each step, a byte is in memory.
MOST_STEPS = 10**8
HEADER_FIELDS = {field.name for field in fields(Header)}


def parse_record(line: bytes) -> list[Any] | None:
    """Return the record of a line, or None if it is not as Shoal writes them."""
    checksum, _, body = line.rstrip(b"\n").partition(b" ")
    if checksum != make_checksum(body):
        return None
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match record:
        case ["head", {"version": int(version), **rest}]:
            is_known = version != VERSION or _is_header(rest)
        case ["folder", str(folder)]:
            is_known = _stays_inside(folder)
        case ["step", int(number), str(source), str(target), int(), int(), int()]:
            is_known = _is_number(number) and _stays_inside(source) and _stays_inside(target)
        case ["copied" | "done", [*numbers]]:
            is_known = all(map(_is_number, numbers))
        case _:
            is_known = record == ["undo"]
    return record if is_known else None


def make_header(values: dict[str, Any]) -> Header:
    """Return the header that a record has.

    Raises:
        msgspec.ValidationError: A value is of another type.
    """
    return msgspec.convert(values, Header)


def _is_header(values: dict[Any, Any]) -> bool:
    if values.keys() != HEADER_FIELDS:
        return False
    try:
        header = make_header(values)
    except msgspec.ValidationError:
        return False
    return all(map(_is_path, (header.source, *header.made)))


def _is_number(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < MOST_STEPS


def _stays_inside(path: str) -> bool:
    """Return whether a relative path leads nowhere else, whoever has written it."""
    return _is_path(path) and not path.startswith("/") and ".." not in path.split("/")


def _is_path(text: str) -> bool:
    """Return whether a system takes a text for a path."""
    try:
        return bool(text) and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def make_checksum(body: bytes) -> bytes:
    """Return what stands before the body of a line."""
    return xxhash.xxh3_64_hexdigest(body).encode()
