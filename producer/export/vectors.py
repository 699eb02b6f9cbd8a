"""Features and coordinates as files of NumPy and Parquet, written a batch at a time."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from shoal.producer.export.files import STDOUT_PATH, NewFiles, check_output
from shoal.producer.export.tables import import_pyarrow, printed_file, write_rows
from shoal.producer.results import JobResults
from shoal.producer.results.vectors import Vectors
from shoal.shared.encoding import escape_name
from shoal.shared.errors import UsageError
from shoal.shared.findings import Rows

VectorFormat = Literal["npy", "parquet"]
# Bytes of vectors written to Parquet at once.
GROUP_BYTES = 2**25


@dataclass(frozen=True)
class _Named:
    """The image of a row."""

    path: str


def list_outputs(out: Path, file_format: VectorFormat) -> list[Path]:
    """List the files that are written: beside an array, a table names the image of each row."""
    is_alone = file_format == "parquet" or out == STDOUT_PATH
    return [out] if is_alone else [out, out.with_suffix(".paths.csv")]


def check_vectors(out: Path, file_format: VectorFormat, *, force: bool) -> None:
    """Check, before any work, that the files can be written.

    Raises:
        UsageError: One of them exists, and not ``force``; or they would go to a terminal.
    """
    if out == STDOUT_PATH and sys.stdout.isatty():
        raise UsageError("Numbers cannot be shown on a terminal: name a file as `out`.")
    for path in list_outputs(out, file_format):
        check_output(path, force=force)


def write_vectors(
    job: JobResults, vectors: Vectors, out: Path, file_format: VectorFormat, *, force: bool = False
) -> list[Path]:
    """Write vectors to a file, or to standard output if that is ``-``; return what was written.

    Raises:
        UsageError: A file exists, and not ``force``; or pyarrow is not installed.
        ShardLostError: They are missing or damaged; no file is written then.
    """
    if out == STDOUT_PATH:
        sys.stdout.flush()
        with printed_file() as file:
            write_in_format(job, vectors, file_format, file)
        return []
    paths = list_outputs(out, file_format)
    with NewFiles(lambda _: force) as files:
        with files.open(out) as file:
            write_in_format(job, vectors, file_format, file)
        for beside in paths[1:]:
            with files.open(beside) as file:
                parts = ([paths] for paths, *_ in job.labels().parts)
                write_rows(Rows(_Named, parts), _Named, file)
    return paths


def write_in_format(
    job: JobResults, vectors: Vectors, file_format: VectorFormat, file: IO[bytes]
) -> None:
    """Write vectors as ``npy``, or with their paths as ``parquet``.

    Raises:
        UsageError: pyarrow is not installed.
        ShardLostError: They are missing or damaged.
    """
    if file_format == "npy":
        _write_npy(vectors, file)
    else:
        _write_parquet(job, vectors, file)


def _write_npy(vectors: Vectors, file: IO[bytes]) -> None:
    from numpy.lib import format as npy

    header = {"descr": vectors.dtype, "fortran_order": False, "shape": vectors.shape}
    npy.write_array_header_1_0(file, header)
    for part in vectors.parts:
        file.write(part)


def _write_parquet(job: JobResults, vectors: Vectors, file: IO[bytes]) -> None:
    pyarrow, parquet = import_pyarrow()
    n_columns, name = vectors.shape[1], vectors.kind.value
    number = pyarrow.from_numpy_dtype(vectors.dtype)
    schema = pyarrow.schema({"path": "string", name: pyarrow.list_(number, n_columns)})

    def make_batches() -> Iterator[Any]:
        paths = (batch.loaded() for batch in job.results.batch_paths())
        for names, rows in zip(paths, vectors.arrays(), strict=True):
            numbers = pyarrow.array(rows.ravel(), number)
            columns = [
                pyarrow.array(list(map(escape_name, names)), "string"),
                pyarrow.FixedSizeListArray.from_arrays(numbers, n_columns),
            ]
            yield pyarrow.record_batch(columns, schema=schema)

    with parquet.ParquetWriter(file, schema) as writer:
        for group in _group(make_batches()):
            writer.write_table(pyarrow.Table.from_batches(group, schema))


def _group(batches: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield batches, so many at a time that a group is large enough for a reader."""
    group: list[Any] = []
    for batch in batches:
        group.append(batch)
        if sum(each.nbytes for each in group) >= GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group
