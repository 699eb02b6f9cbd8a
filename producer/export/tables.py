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

from shoal.producer.export.files import replacing, write_file
from shoal.shared.errors import UsageError
from shoal.shared.findings import Assignment
from shoal.shared.text import show_controls
from shoal.shared.wire import encode

# Rows written to Parquet at once.
ROW_GROUP = 65_536
# Stands for standard output in place of a file's name.
STDOUT_PATH = Path("-")


class _UnixLines:
    """Ends the lines of ``csv`` with a line feed only; on a terminal, a row stays one line.

    If ``csv`` itself is told to do so, Python 3.11 leaves carriage returns in names unquoted.
    """

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.is_terminal = file.isatty()

    def write(self, line: str) -> None:
        """Write one row."""
        row = line.removesuffix("\r\n")
        self.file.write((show_controls(row) if self.is_terminal else row) + "\n")


def write_rows(rows: Iterable[Any], model: type[Any], file: IO[bytes]) -> None:
    """Write dataclasses as CSV; file names that are not UTF-8 are written byte for byte."""
    text = TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    try:
        writer = csv.writer(_UnixLines(text))
        writer.writerow([field.name for field in fields(model)])
        writer.writerows(map(astuple, rows))
    finally:
        text.detach()  # the caller's file is not ours to close


def write_json(rows: Iterable[Any], file: IO[bytes]) -> None:
    """Write dataclasses as a JSON array, one per line."""
    separator = b"[\n"
    for row in rows:
        file.write(separator + encode(row))
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
                row["path"] = row["path"].encode(errors="replace").decode()
            writer.write_table(pyarrow.Table.from_pylist(group, schema))


def write_labels(labels: Iterable[Assignment], file_format: str, output: Path | None) -> None:
    """Write labels to ``output``, or print them if that is None or ``-``.

    Raises:
        UsageError: Parquet was asked for without a file, or without pyarrow.
    """
    if output is None and file_format == "parquet":
        raise UsageError("Parquet cannot be shown on a terminal: name a file with --output.")
    if output is None or output == STDOUT_PATH:
        _print_labels(labels, file_format)
    else:
        with replacing(output) as file:
            write_in_format(labels, file_format, file)


def _print_labels(labels: Iterable[Assignment], file_format: str) -> None:
    sys.stdout.flush()
    if file_format != "parquet":
        write_in_format(labels, file_format, sys.stdout.buffer)
        return
    with TemporaryFile() as file:  # Parquet asks for its position, which a pipe does not have
        write_in_format(labels, file_format, file)
        file.seek(0)
        copyfileobj(file, sys.stdout.buffer)


def write_output(content: bytes, path: Path) -> None:
    """Write ``content`` to ``path`` and print the path; write only it if that is ``-``."""
    if path == STDOUT_PATH:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    else:
        write_file(path, content)
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
