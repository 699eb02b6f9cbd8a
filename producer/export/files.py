"""Files that are written completely or not at all, and replace nothing that is the user's."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from secrets import token_hex
from typing import IO

from shoal.producer.results import JobResults
from shoal.shared.errors import ShoalError, UsageError
from shoal.shared.sources.given import list_given_folders

# Stands for standard output in place of a file's name.
STDOUT_PATH = Path("-")
# Says whether an existing file may be replaced.
MayReplace = Callable[[Path], bool]


def check_free(paths: Iterable[Path], may_replace: MayReplace, *, option: str = "out") -> None:
    """Check that files can be written without replacing what may not be replaced.

    A pipe or a device is not replaced but written to. ``option`` is what the message says to
    choose another one of.

    Raises:
        UsageError: One of them is a directory, or a file that may not be replaced.
    """
    for path in paths:
        # Not with pathlib, which raises where a parent is locked.
        if os.path.isdir(path):  # noqa: PTH112
            raise UsageError(f"{path} is a directory: choose another `{option}`.")
        if os.path.isfile(path) and not may_replace(path):  # noqa: PTH113
            raise UsageError(
                f"{path} exists, and is not known to be as Shoal wrote it: `force=True` replaces"
                f" it, or choose another `{option}`."
            )


def check_output(path: Path, *, force: bool, option: str = "out") -> None:
    """Check, before any work, that a file does not exist; if ``force``, that it can be replaced.

    ``option`` is as for ``check_free``.

    Raises:
        UsageError: It is a directory, or exists.
    """
    if path != STDOUT_PATH:
        check_free([path], lambda _: force, option=option)


def find_folders(job: JobResults) -> list[str]:
    """Return the folders that a job was asked for: where no results may be written."""
    request = job.status().request
    return list_given_folders(request.source, request.inputs)


def check_outside(path: Path, folders: Iterable[str], *, option: str = "out") -> None:
    """Check that a picture does not come among the images of a job.

    ``folders`` are the job's, links resolved; ``option`` is as for ``check_free``.

    Raises:
        UsageError: It would.
    """
    for folder in folders if path != STDOUT_PATH else ():
        if Path(os.path.realpath(path)).is_relative_to(folder):
            raise UsageError(
                f"{path} is inside {folder}: the next run would cluster this picture, too. Choose a"
                f" place outside by `{option}`."
            )


class NewFiles:
    """Files that take their places together, once all are complete; if anything fails, none does.

    Use it in a ``with`` block, at whose end the files take their places.
    """

    def __init__(self, may_replace: MayReplace) -> None:
        self.may_replace = may_replace
        self.partials: dict[Path, Path] = {}  # by the file that each becomes
        self.outdated: list[Path] = []

    def __enter__(self) -> "NewFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._put_in_place()
        finally:
            for partial in self.partials.values():
                with suppress(OSError):
                    partial.unlink()

    @contextmanager
    def open(self, path: Path) -> Iterator[IO[bytes]]:
        """Yield a file that becomes ``path``, or the file it links to.

        A pipe or a device at ``path`` is written to at once.

        Raises:
            ShoalError: It cannot be written.
        """
        real = Path(os.path.realpath(path))
        with _report_errors(path, "written"):
            if real.exists() and not (real.is_file() or real.is_dir()):
                with real.open("wb") as file:
                    yield file
                return
            real.parent.mkdir(parents=True, exist_ok=True)
            # By chance, not by process: containers that share a directory share numbers, too.
            partial = real.with_name(f".shoal-{token_hex(8)}.partial")
            with partial.open("xb") as file:
                self.partials[path] = partial
                yield file

    def write(self, path: Path, content: bytes) -> None:
        """Write ``content`` to a file that becomes ``path``; raises as ``open`` does."""
        with self.open(path) as file:
            file.write(content)

    def remove(self, path: Path) -> None:
        """Remove a file, if there is one, before the new ones take their places."""
        self.outdated.append(path)

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of the file that becomes ``path``."""
        return digest_file(self.partials[path])

    def _put_in_place(self) -> None:
        """Replace and remove files, after a last look at what is there.

        Raises:
            UsageError: A file that may not be replaced has appeared meanwhile.
            ShoalError: A file cannot be replaced or removed.
        """
        check_free(self.partials, self.may_replace)
        for path in self.outdated:
            with _report_errors(path, "removed"):
                path.unlink(missing_ok=True)
        for path, partial in self.partials.items():
            with _report_errors(path, "written"):
                partial.replace(os.path.realpath(path))


@contextmanager
def new_file(path: Path, *, force: bool = False) -> Iterator[IO[bytes]]:
    """Yield a file that becomes ``path`` once it is complete; if ``force``, replace what is there.

    Raises:
        UsageError: It exists.
        ShoalError: It cannot be written.
    """
    with NewFiles(lambda _: force) as files, files.open(path) as file:
        yield file


@contextmanager
def _report_errors(path: Path, verb: str) -> Iterator[None]:
    """Raise ShoalError if ``path`` cannot be written or removed."""
    try:
        yield
    except OSError as error:
        raise ShoalError(f"{path} cannot be {verb}: {error.strerror or error}.") from error


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
