"""The results of a job as tables: CSV, JSON and Parquet, in a file or printed."""

import csv
import sys
from collections.abc import Iterable
from dataclasses import asdict, astuple, fields
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, Any

import click

from shoal.producer.export.files import STDOUT_PATH, new_file
from shoal.producer.export.models import export_json
from shoal.shared.encoding import escape_name
from shoal.shared.errors import UsageError
from shoal.shared.findings import Assignment
from shoal.shared.text import show_controls

# Rows written to Parquet at once.
ROW_GROUP = 65_536
# What makes a cell quoted, besides commas and quotes: ``csv`` quotes the characters with which it
# ends lines. Where a comma is in numbers, spreadsheets take semicolons and tabs for separators.
QUOTED = ";\t\r\n"
# Spreadsheets take cells that begin so for formulas.
FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
BLANKS = ("\t", "\r", "\n")
PATHS = {"path", "like"}


class _UnixLines:
    """Ends the lines of ``csv`` with a line feed only; on a terminal, a row stays one line."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.is_terminal = file.isatty()

    def write(self, line: str) -> None:
        """Write one row."""
        row = line.removesuffix(QUOTED)
        self.file.write((show_controls(row) if self.is_terminal else row) + "\n")


def write_rows(rows: Iterable[Any], model: type[Any], file: IO[bytes]) -> None:
    """Write dataclasses as CSV in UTF-8, with no cell that a spreadsheet takes for a formula."""
    columns = [field.name for field in fields(model)]
    text = TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        writer = csv.writer(_UnixLines(text), lineterminator=QUOTED)
        writer.writerow(columns)
        writer.writerows(map(_make_cell, columns, astuple(row)) for row in rows)
    finally:
        text.detach()  # the caller's file is not ours to close


def _make_cell(column: str, value: Any) -> Any:
    """Make a value a cell; a path stays one of the same file."""
    if not isinstance(value, str):
        return value
    text = escape_name(value)
    if not (text.startswith(BLANKS) or text.lstrip().startswith(FORMULAS)):
        return text
    return f"./{text}" if column in PATHS else f"'{text}"


def write_json(rows: Iterable[Any], file: IO[bytes]) -> None:
    """Write dataclasses as a JSON array, one per line."""
    separator = b"[\n"
    for row in rows:
        file.write(separator + export_json(row))
        separator = b",\n"
    file.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def write_parquet(rows: Iterable[Assignment], file: IO[bytes]) -> None:
    """Write labels as Parquet.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install pyarrow.") from error
    number = pyarrow.float32()
    schema = pyarrow.schema(
        {"path": "string", "label": "int32", "distance": number, "pc1": number, "pc2": number}
    )
    rows = iter(rows)
    with parquet.ParquetWriter(file, schema) as writer:
        while group := [asdict(row) for row in islice(rows, ROW_GROUP)]:
            for row in group:
                row["path"] = escape_name(row["path"])
            writer.write_table(pyarrow.Table.from_pylist(group, schema))


def write_labels(
    labels: Iterable[Assignment], file_format: str, path: Path = STDOUT_PATH, *, force: bool = False
) -> None:
    """Write labels to ``path``, or print them if that is ``-``; if ``force``, replace a file.

    Raises:
        UsageError: The file exists, or Parquet was asked for on a terminal or without pyarrow.
    """
    if path == STDOUT_PATH:
        _print_labels(labels, file_format)
    else:
        with new_file(path, force=force) as file:
            write_in_format(labels, file_format, file)


def _print_labels(labels: Iterable[Assignment], file_format: str) -> None:
    sys.stdout.flush()
    if file_format != "parquet":
        write_in_format(labels, file_format, sys.stdout.buffer)
        return
    if sys.stdout.isatty():
        raise UsageError("Parquet cannot be shown on a terminal: name a file with --out.")
    with TemporaryFile() as file:  # Parquet asks for its position, which a pipe does not have
        write_in_format(labels, file_format, file)
        file.seek(0)
        copyfileobj(file, sys.stdout.buffer)


def write_output(content: bytes, path: Path, *, force: bool = False) -> None:
    """Write ``content`` to ``path`` and print the path; if that is ``-``, print the content.

    Raises:
        UsageError: The file exists, and not ``force``.
    """
    if path == STDOUT_PATH:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    else:
        with new_file(path, force=force) as file:
            file.write(content)
        click.echo(path, color=True)  # else click takes escape sequences out


def write_in_format(labels: Iterable[Assignment], file_format: str, file: IO[bytes]) -> None:
    """Write labels as ``csv``, ``json`` or ``parquet``."""
    if file_format == "csv":
        write_rows(labels, Assignment, file)
    elif file_format == "json":
        write_json(labels, file)
    else:
        write_parquet(labels, file)


def print_rows(rows: Iterable[Any], model: type[Any], as_json: bool) -> None:
    """Print dataclasses as CSV or JSON."""
    sys.stdout.flush()
    if as_json:
        write_json(rows, sys.stdout.buffer)
    else:
        write_rows(rows, model, sys.stdout.buffer)
