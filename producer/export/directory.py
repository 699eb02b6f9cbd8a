"""The directory of a job's results."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from pathlib import Path
from tempfile import TemporaryFile
from threading import Thread
from typing import Any

from shoal.producer.export.files import NewFiles, check_free, digest_file
from shoal.producer.export.models import export_json
from shoal.producer.export.tables import write_rows
from shoal.producer.results import JobResults
from shoal.shared.errors import UsageError
from shoal.shared.findings import Assignment, Duplicate, Failure, PlotName, Summary
from shoal.shared.wire import decode

JOB_FILE = "job.json"
NAMES = (
    *("labels.csv", "failures.csv", "duplicates.csv"),
    *(f"plots/{name}.png" for name in PlotName),
    *("model.npz", "report.html"),
)


@dataclass(frozen=True)
class _JobId:
    job_id: str


@dataclass(frozen=True)
class _Record:
    """What ``job.json`` says about the files beside it: their SHA-256, by name."""

    status: _JobId
    files: dict[str, str]


class _Written:
    """The files in a directory that Shoal wrote, as far as they are as it wrote them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.record: _Record | None = None
        # There may be none, or one of the user's.
        with suppress(OSError, ValueError):
            self.record = decode((directory / JOB_FILE).read_bytes(), _Record)

    def has(self, path: Path) -> bool:
        """Return whether Shoal wrote this file, and nobody has changed it since."""
        if not self.record or not path.is_file():
            return False
        name = path.relative_to(self.directory).as_posix()
        return name == JOB_FILE or self.record.files.get(name) == digest_file(path)


def prepare_directory(directory: Path, folders: Iterable[str], *, force: bool = False) -> None:
    """Create ``directory`` and check that results of the images in ``folders`` may go there.

    Args:
        directory: Where the results shall be.
        folders: The folders of the images, links resolved.
        force: Whether files may be replaced that Shoal did not write.

    Raises:
        UsageError: It cannot be written to, the plots would be among the images, or a file there
            has the name of a result and is not as Shoal wrote it.
    """
    for place, folder in product((directory, directory / "plots"), folders):
        if Path(os.path.realpath(place)).is_relative_to(folder):
            raise UsageError(
                f"{place} is inside {folder}: the next run would cluster the plots, too."
                " Choose an `out` outside."
            )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=directory).close()
        if (directory / "plots").exists():
            TemporaryFile(dir=directory / "plots").close()
        written = _Written(directory)
        check_free(
            (directory / name for name in (*NAMES, JOB_FILE)),
            lambda path: force or written.has(path),
        )
    except OSError as error:
        raise UsageError(
            f"{directory} cannot be written to ({error.strerror}): choose another `out`."
        ) from error


def write_directory(job: JobResults, directory: Path, *, force: bool = False) -> None:
    """Write all results of a finished job to ``directory``; ``job.json`` comes last.

    What Shoal wrote there for another job is replaced, or removed if this job has no such result.

    Raises:
        UsageError: A file there is not as Shoal wrote it, and not ``force``.
        ShoalError: A file cannot be written or removed.
    """
    summary = job.summary()
    written = _Written(directory)
    with NewFiles(lambda path: force or written.has(path)) as files:
        for name, rows, model in _list_tables(job, summary):
            with files.open(directory / name) as file:
                write_rows(rows, model, file)
        for name, content in _make_contents(job):
            files.write(directory / name, content)
        digests = {
            path.relative_to(directory).as_posix(): files.digest(path) for path in files.partials
        }
        for name in (*NAMES, JOB_FILE):
            if name not in digests and written.has(directory / name):
                files.remove(directory / name)
        # Until now the job may not have known until when it is kept.
        about = {"status": job.status(), "summary": summary, "files": digests}
        files.write(directory / JOB_FILE, export_json(about))


@contextmanager
def preparing_report() -> Iterator[None]:
    """Import what writing a report needs while the context waits for something else."""
    # Not as a daemon: the interpreter may not end while numpy is being imported.
    thread = Thread(target=_import_report, name="report")
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _import_report() -> None:
    with suppress(Exception):  # whoever writes the report is told
        import_module("shoal.producer.report")


def _list_tables(job: JobResults, summary: Summary) -> Iterator[tuple[str, Any, type[Any]]]:
    """Yield the name, the rows and their model of each table."""
    yield "labels.csv", job.labels(), Assignment
    yield "failures.csv", job.failures(), Failure
    if summary.duplicates:
        yield "duplicates.csv", job.duplicates(), Duplicate


def _make_contents(job: JobResults) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each other file."""
    from shoal.producer.report import make_report

    for name, png in job.plots().items():
        yield f"plots/{name}.png", png
    yield "model.npz", job.model()
    yield "report.html", make_report(job)
