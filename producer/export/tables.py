"""The results of a job as tables: CSV, JSON and Parquet, in a file or printed."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import islice
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, Any

import click

from shoal.producer.export.cells import format_csv_rows, format_json_rows
from shoal.producer.export.files import STDOUT_PATH, new_file
from shoal.shared.encoding import escape_name
from shoal.shared.errors import UsageError
from shoal.shared.findings import Assignment, Columns, Rows
from shoal.shared.text import show_controls

# Rows written to Parquet at once.
ROW_GROUP = 65_536
# What makes some rows of a column, given the first one's number and how many; by its name.
MoreColumns = Mapping[str, Callable[[int, int], Any]]
# Rows of a table that are made text at once.
ROWS_AT_ONCE = 2048


def _list_parts(rows: Iterable[Any], names: Sequence[str]) -> Iterator[Columns]:
    """Yield the columns ``names`` of dataclasses, a part of the rows at a time."""
    if isinstance(rows, Rows):
        yield from rows.parts
        return
    left = iter(rows)
    while some := list(islice(left, ROWS_AT_ONCE)):
        yield [[getattr(row, name) for row in some] for name in names]


def _names_of(model: type[Any]) -> list[str]:
    return [field.name for field in fields(model)]


def write_rows(rows: Iterable[Any], model: type[Any], file: IO[bytes]) -> None:
    """Write dataclasses as CSV in UTF-8, with no cell that a spreadsheet takes for a formula."""
    names, is_terminal = _names_of(model), file.isatty()
    file.write((",".join(names) + "\n").encode())
    for columns in _regroup(_list_parts(rows, names), ROWS_AT_ONCE):
        lines = format_csv_rows(names, columns)
        # On a terminal, a row stays one line.
        shown = map(show_controls, lines) if is_terminal else lines
        file.write(("\n".join(shown) + "\n").encode())


def write_json(rows: Iterable[Any], model: type[Any], file: IO[bytes]) -> None:
    """Write dataclasses as a JSON array, one per line."""
    names, separator = _names_of(model), "[\n"
    for columns in _regroup(_list_parts(rows, names), ROWS_AT_ONCE):
        file.write((separator + ",\n".join(format_json_rows(names, columns))).encode("ascii"))
        separator = ",\n"
    file.write(b"[]\n" if separator == "[\n" else b"\n]\n")


def import_pyarrow() -> tuple[Any, Any]:
    """Import pyarrow and its ``parquet``.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install pyarrow.") from error
    return pyarrow, parquet


def write_parquet(
    rows: Iterable[Assignment], file: IO[bytes], more: MoreColumns | None = None
) -> None:
    """Write labels as Parquet.

    Args:
        rows: The labels.
        file: What to write to.
        more: By the name of each column that comes after them, what makes the column's rows.

    Raises:
        UsageError: pyarrow is not installed.
    """
    pyarrow, parquet = import_pyarrow()
    number, more = pyarrow.float32(), more or {}
    schema = pyarrow.schema(
        {
            "path": "string",
            "label": "int32",
            "distance": number,
            "pc1": number,
            "pc2": number,
            "x": number,
            "y": number,
            "far": "bool",
            "name": "string",
        }
    )
    names = schema.names
    for name, make in more.items():
        schema = schema.append(pyarrow.field(name, make(0, 0).type))
    written = 0
    with parquet.ParquetWriter(file, schema) as writer:
        for paths, *numbers in _regroup(_list_parts(rows, names), ROW_GROUP):
            made = [make(written, len(paths)) for make in more.values()]
            columns = [list(map(escape_name, paths)), *numbers, *made]
            writer.write_table(pyarrow.table(columns, schema=schema))
            written += len(paths)


def _regroup(parts: Iterable[Columns], n_rows: int) -> Iterator[Columns]:
    """Yield the same rows, so many at a time."""
    pending: list[list[Any]] = []
    for columns in parts:
        pending = pending or [[] for _ in columns]
        for column, more in zip(pending, columns, strict=True):
            column += more
        while len(pending[0]) >= n_rows:
            yield [column[:n_rows] for column in pending]
            pending = [column[n_rows:] for column in pending]
    if pending and pending[0]:
        yield pending


def write_labels(
    labels: Iterable[Assignment],
    file_format: str,
    path: Path = STDOUT_PATH,
    *,
    force: bool = False,
    more: MoreColumns | None = None,
) -> None:
    """Write labels to ``path``, or print them if that is ``-``; if ``force``, replace a file.

    In Parquet, ``more`` columns come after them.

    Raises:
        UsageError: The file exists, or Parquet was asked for on a terminal or without pyarrow.
    """
    if path == STDOUT_PATH:
        _print_labels(labels, file_format, more)
    else:
        with new_file(path, force=force) as file:
            write_in_format(labels, file_format, file, more)


def _print_labels(labels: Iterable[Assignment], file_format: str, more: MoreColumns | None) -> None:
    sys.stdout.flush()
    if file_format != "parquet":
        write_in_format(labels, file_format, sys.stdout.buffer)
        return
    if sys.stdout.isatty():
        raise UsageError("Parquet cannot be shown on a terminal: name a file as `out`.")
    with printed_file() as file:
        write_in_format(labels, file_format, file, more)


@contextmanager
def printed_file() -> Iterator[IO[bytes]]:
    """Yield a file that is printed once it is whole.

    Parquet asks for its position, which a pipe does not have.
    """
    with TemporaryFile() as file:
        yield file
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


def write_in_format(
    labels: Iterable[Assignment],
    file_format: str,
    file: IO[bytes],
    more: MoreColumns | None = None,
) -> None:
    """Write labels as ``csv``, ``json`` or ``parquet``, which may have more columns."""
    if file_format == "csv":
        write_rows(labels, Assignment, file)
    elif file_format == "json":
        write_json(labels, Assignment, file)
    else:
        write_parquet(labels, file, more)


def print_rows(rows: Iterable[Any], model: type[Any], as_json: bool) -> None:
    """Print dataclasses as CSV or JSON."""
    sys.stdout.flush()
    if as_json:
        write_json(rows, model, sys.stdout.buffer)
    else:
        write_rows(rows, model, sys.stdout.buffer)
