"""Tables of images: the column of a CSV or Parquet file that has their paths or URLs."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from shoal.shared.errors import OptionError, SourceError
from shoal.shared.images.kinds import kind_of, readable_kinds

# What columns of paths are called, the likeliest first.
NAMES = (
    *("path", "file", "filename", "file_name", "filepath", "file_path", "url", "uri", "image"),
    *("image_path", "image_url", "image_file", "img", "img_path", "key", "src"),
)
DELIMITERS = ",;\t|"
ROWS_AT_ONCE = 65_536


def read_csv(path: Path, column: str | None) -> Iterator[str]:
    """Yield the paths of a CSV file, whose cells may be divided by commas, semicolons or tabs.

    Raises:
        SourceError: It is no CSV file, or none of its columns is known to have paths.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        first = file.readline()
        delimiter = max(DELIMITERS, key=first.count)
        rows = csv.reader(chain([first], file), delimiter=delimiter)
        try:
            header = next(rows, [])
            place = _find_column(path, header, column)
            if place is None:
                place = 0
                yield header[0]
            yield from (row[place] for row in rows if len(row) > place)
        except csv.Error as error:
            raise SourceError(f"{path} is no CSV file (line {rows.line_num}: {error}).") from error


def read_parquet(path: Path, column: str | None) -> Iterator[str]:
    """Yield the paths of a Parquet file.

    Raises:
        SourceError: It is no Parquet file, or none of its columns is known to have paths.
    """
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise SourceError(f"{path} needs pyarrow to be read: pip install pyarrow.") from None
    try:
        file = ParquetFile(path)
    except ArrowInvalid as error:
        raise SourceError(f"{path} is no Parquet file ({error}).") from error
    names = file.schema_arrow.names
    place = _find_column(path, names, column)
    for batch in file.iter_batches(ROWS_AT_ONCE, columns=[names[place or 0]]):
        for value in batch.column(0).to_pylist():
            yield value if isinstance(value, str) else ""


def _find_column(path: Path, header: Sequence[str], column: str | None) -> int | None:
    """Find the column of the paths; None if the first row is one of paths already.

    Raises:
        OptionError: There is no such column.
        SourceError: None of the columns is known to have paths.
    """
    names = [name.strip().lower() for name in header]
    for name in NAMES if column is None else (column.lower(),):
        if name in names:
            return names.index(name)
    there = ", ".join(header)
    if column is not None:
        raise OptionError("column", f"{path} has no column {column}; there are: {there}.")
    if len(header) == 1 or (header and kind_of(header[0]) in readable_kinds()):
        return None
    raise SourceError(
        f"{path} has no column called {', '.join(NAMES[:7])} or the like: name one by `column`;"
        f" there are: {there}."
    )
