"""Columns of a table as cells of text: whole columns at once, for tables of millions of rows."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from shoal.shared.encoding import escape_name
from shoal.shared.findings import Columns

# What makes a cell quoted, besides commas and quotes: what ends lines; and where a comma is in
# numbers, spreadsheets take semicolons and tabs for separators.
_QUOTED = re.compile(r'[",;\t\r\n]')
# Spreadsheets take cells that begin so for formulas.
FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
BLANKS = ("\t", "\r", "\n")
PATHS = {"path", "like"}
# Finds in texts, each on a line, what cannot be a cell as it is. Blanks are looked for within a
# line: over the ends of many empty ones, it would look from each to the last.
_UNUSUAL = re.compile(
    r'[",;\t\r\\\udc80-\udcff]|^[^\S\n]*[=+\-@\uff1d\uff0b\uff0d\uff20]', re.MULTILINE
)
# From there on, Python writes numbers with an exponent.
MOST_PLAIN = 1e16


def format_csv_rows(names: Sequence[str], columns: Columns) -> Iterator[str]:
    """Yield the lines of some rows as CSV, without their ends.

    Args:
        names: Of the columns.
        columns: Values of each; paths stay those of the same files, other text is no formula.
    """
    cells = [_make_csv_cells(name, column) for name, column in zip(names, columns, strict=True)]
    return map(",".join, zip(*cells, strict=True))


def _make_csv_cells(name: str, column: Sequence[Any]) -> Sequence[str]:
    if isinstance(column[0], float):
        return _make_numbers(shorten(column), lambda values: list(map(repr, values)))
    if isinstance(column[0], bool):
        return ["true" if value else "false" for value in column]
    if isinstance(column[0], int):
        return _make_numbers(column, lambda values: list(map(str, values)))
    text = "\n".join(column)
    if _UNUSUAL.search(text) or text.count("\n") >= len(column):
        return [_make_csv_cell(name, value) for value in column]
    return column


def _make_csv_cell(name: str, value: str) -> str:
    """Make a text a cell that no spreadsheet takes for a formula."""
    text = escape_name(value)
    if text.startswith(BLANKS) or text.lstrip().startswith(FORMULAS):
        text = f"./{text}" if name in PATHS else f"'{text}"
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def format_json_rows(names: Sequence[str], columns: Columns) -> Iterator[str]:
    """Yield some rows as JSON objects; names that are not UTF-8 are escaped."""
    cells = [_make_json_cells(column) for column in columns]
    row = "{" + ",".join(f"{json.dumps(name)}:%s" for name in names) + "}"
    return (row % values for values in zip(*cells, strict=True))


def _make_json_cells(column: Sequence[Any]) -> Sequence[str]:
    if isinstance(column[0], str):
        return _encode_each(list(map(escape_name, column)))
    if isinstance(column[0], float):
        column = shorten(column)
    return _make_numbers(column, _encode_each)


def shorten(column: Sequence[float]) -> list[float]:
    """Round numbers of single precision to as few digits as tell them apart: nine, at most.

    Read again, each is the same number in single precision: 0.1 instead of 0.10000000149011612. One
    of double precision stays as it is.
    """
    import numpy as np  # slow to import

    exact = np.array(column)
    with np.errstate(all="ignore"):
        single = exact.astype(np.float32)
        exponents = np.floor(np.log10(np.abs(np.where(exact, exact, 1))))
        shortest = exact.copy()
        for digits in (9, 8, 7):
            scales = 10.0 ** (digits - 1 - exponents)
            rounded = np.rint(exact * scales) / scales
            np.copyto(shortest, rounded, where=rounded.astype(np.float32) == single)
        is_single = single == exact
    result: list[float] = np.where(is_single, shortest, exact).tolist()
    return result


def _encode_each(values: Sequence[Any]) -> list[str]:
    """Encode each value as JSON, in which no line ends."""
    return json.dumps(values, separators=("\n", ":"))[1:-1].split("\n")


def _make_numbers(
    column: Sequence[float], make_each: Callable[[Sequence[float]], list[str]]
) -> list[str]:
    """Make numbers text as Python does.

    msgspec needs a tenth of Python's time and writes the same digits, but other exponents.
    """
    text = msgspec.json.encode(column).decode()
    if "e" in text or "0.0000" in text or "n" in text:
        return make_each(column)
    if max(column) >= MOST_PLAIN or min(column) <= -MOST_PLAIN:
        return make_each(column)
    return text[1:-1].split(",")
