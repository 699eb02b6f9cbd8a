"""Files that are written completely or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from shoal.shared.errors import ShoalError


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that replaces ``path``, or the file it links to, once it is complete.

    A pipe or a device at ``path`` is not replaced but written to.

    Raises:
        ShoalError: It cannot be written.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not (path.is_file() or path.is_dir()):
        with _report_write_errors(path), path.open("wb") as file:
            yield file
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with _report_write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                yield file
            partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink()


@contextmanager
def _report_write_errors(path: Path) -> Iterator[None]:
    """Raise ShoalError if ``path`` cannot be written."""
    try:
        yield
    except OSError as error:
        raise ShoalError(f"{path} cannot be written: {error.strerror or error}.") from error


def write_file(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, completely or not at all."""
    with replacing(path) as file:
        file.write(content)


def remove(path: Path) -> None:
    """Remove a file if it exists.

    Raises:
        ShoalError: It exists and cannot be removed.
    """
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise ShoalError(f"{path} cannot be removed: {error.strerror or error}.") from error
