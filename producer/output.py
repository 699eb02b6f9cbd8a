"""What a job found, as files: CSV, JSON, Parquet, plots, and all of them in a directory."""

import csv
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, fields
from itertools import islice
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import click

from shoal.shared.errors import ShoalError, UsageError
from shoal.shared.findings import CHOICE_PLOT, PLOTS, Assignment, Duplicate, Failure
from shoal.shared.wire import encode

if TYPE_CHECKING:
    from shoal.producer.job import Job

# Rows written to Parquet at once.
ROW_GROUP = 65_536
# Names standard output where a file is asked for.
DASH = Path("-")


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that becomes ``path``, or what it links to, once it is whole.

    What is there and no file, as a pipe or a device, is written to.

    Raises:
        ShoalError: It cannot be written.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not (path.is_file() or path.is_dir()):
        with writing(path), path.open("wb") as file:
            yield file
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                yield file
            partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise ShoalError where ``path`` cannot be written."""
    try:
        yield
    except OSError as error:
        raise ShoalError(f"{path} cannot be written: {error.strerror or error}.") from error


def write_file(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, all of it or nothing."""
    with replacing(path) as file:
        file.write(content)


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        ShoalError: It is there to stay.
    """
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise ShoalError(f"{path} cannot be removed: {error.strerror or error}.") from error


class UnixLines:
    """Ends the lines of ``csv`` as Unix does.

    Told to do so itself, Python 3.11 leaves carriage returns in names unquoted.
    """

    def __init__(self, file: IO[str]) -> None:
        self.file = file

    def write(self, line: str) -> None:
        """Write one row."""
        self.file.write(line.removesuffix("\r\n") + "\n")


def write_rows(rows: Iterable[Any], model: type[Any], file: IO[bytes]) -> None:
    """Write dataclasses as CSV; file names that are not UTF-8 are written as they are."""
    text = open(  # noqa: SIM115  the caller's file is not ours to close
        file.fileno(), "w", encoding="utf-8", errors="surrogateescape", newline="", closefd=False
    )
    with text:
        writer = csv.writer(UnixLines(text))
        writer.writerow([field.name for field in fields(model)])
        writer.writerows(map(astuple, rows))


def write_json(rows: Iterable[Any], file: IO[bytes]) -> None:
    """Write dataclasses as a JSON array, one a line."""
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


def write_labels(labels: Iterable[Assignment], form: str, output: Path | None) -> None:
    """Write labels to ``output``, or print them.

    Raises:
        UsageError: Parquet without a file, or without pyarrow.
    """
    if output is None and form == "parquet":
        raise UsageError("Parquet is not for a terminal: name a file with --output.")
    if output is None or output == DASH:
        print_labels(labels, form)
    else:
        with replacing(output) as file:
            write_form(labels, form, file)


def print_labels(labels: Iterable[Assignment], form: str) -> None:
    """Write labels to standard output."""
    sys.stdout.flush()
    if form != "parquet":
        write_form(labels, form, sys.stdout.buffer)
        return
    with TemporaryFile() as file:  # Parquet asks where it is, which a pipe cannot tell
        write_form(labels, form, file)
        file.seek(0)
        copyfileobj(file, sys.stdout.buffer)


def write_output(content: bytes, path: Path) -> None:
    """Write ``content`` to ``path`` and say so, or to standard output, which has it alone."""
    if path == DASH:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    else:
        write_file(path, content)
        click.echo(path)


def write_form(labels: Iterable[Assignment], form: str, file: IO[bytes]) -> None:
    """Write labels in one of the forms of ``shoal result``."""
    if form == "csv":
        write_rows(labels, Assignment, file)
    elif form == "json":
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


def prepare_directory(directory: Path, source: Path) -> None:
    """Create ``directory`` and check that results of the images in ``source`` may go there.

    Raises:
        UsageError: It cannot be written to, or lies inside ``source``.
    """
    if Path(os.path.realpath(directory)).is_relative_to(source):
        raise UsageError(
            f"{directory} lies inside {source}: the next run would take the plots for images."
            " Name a directory outside with --out."
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=directory).close()
    except OSError as error:
        raise UsageError(
            f"{directory} cannot be written to ({error.strerror}): name another with --out."
        ) from error


def write_directory(job: "Job", directory: Path) -> None:
    """Write all that a finished job found to ``directory``; ``job.json`` comes last.

    What another job left there is replaced, and removed where this one has nothing of the kind.

    Raises:
        ShoalError: A file cannot be written or removed.
    """
    from shoal.producer.report import make_report

    status, summary, plots = job.status(), job.summary(), job.plots()
    absent = {*PLOTS, CHOICE_PLOT} - plots.keys()
    remove(directory / "job.json")
    for name in absent:
        remove(directory / "plots" / f"{name}.png")
    if not summary.duplicates:
        remove(directory / "duplicates.csv")
    with replacing(directory / "labels.csv") as file:
        write_rows(job.labels(), Assignment, file)
    with replacing(directory / "failures.csv") as file:
        write_rows(job.failures(), Failure, file)
    if summary.duplicates:
        with replacing(directory / "duplicates.csv") as file:
            write_rows(job.duplicates(), Duplicate, file)
    for name, png in plots.items():
        write_file(directory / "plots" / f"{name}.png", png)
    write_file(directory / "model.npz", job.model())
    write_file(directory / "report.html", make_report(job))
    write_file(directory / "job.json", encode({"status": status, "summary": summary}))
