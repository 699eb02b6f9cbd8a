"""Shards as files in a directory, of this machine or mounted on all."""

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from shoal.shared.errors import ShardsUnavailableError
from shoal.shared.shards.place import ID_NAME, Parts, check_name, describe_lost

# What is being written; a file is moved to its name once it is whole.
WRITING = ".writing"
# Such a file that is older was left by a process that was killed.
ABANDONED_SECONDS = 3600.0
# A folder may be removed, since it was empty, just before a file is moved into it.
MOST_MOVES = 5


class FileShards:
    """Shards in ``root``, which is created with the first of them.

    Nothing waits for the disk itself: what a power failure leaves incomplete is told by checksums.
    """

    maps_files = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = root.as_uri()

    def write(self, name: str, parts: Parts) -> None:
        """Write a shard, whole or not at all; one of the same name is replaced."""
        path = self._find(name)
        with self._explain_errors(), self._written(parts) as temporary:
            if not self._is_place():
                raise self._unavailable("it is no place of shards any more")
            for _ in range(MOST_MOVES - 1):
                path.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):
                    temporary.replace(path)
                    return
            temporary.replace(path)

    def create(self, name: str, data: bytes) -> bool:
        """Write a shard, unless there is one of this name: then return False."""
        path = self._find(name)
        with self._explain_errors():
            if path.exists():
                return False
            with self._written([data]) as temporary:
                path.parent.mkdir(parents=True, exist_ok=True)
                return _link(temporary, path)

    def read(self, name: str) -> bytes:
        """Return a shard."""
        path = self._find(name)
        with self._explain_errors(name):
            return path.read_bytes()

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return parts of a shard, each given by its start and its length in bytes."""
        path = self._find(name)
        with self._explain_errors(name), path.open("rb") as file:
            parts = [os.pread(file.fileno(), length, start) for start, length in ranges]
        if any(len(part) != length for part, (_, length) in zip(parts, ranges, strict=True)):
            raise describe_lost(self, name)
        return parts

    def path(self, name: str) -> Path:
        """Return the file of a shard, which may not exist."""
        return self._find(name)

    def delete(self, names: Iterable[str]) -> None:
        """Delete shards, folders that become empty, and what killed processes were writing."""
        with self._explain_errors():
            folders = set[Path]()
            for name in names:
                path = self._find(name)
                path.unlink(missing_ok=True)
                folders.update(path.parents)
            inside = (folder for folder in folders if self.root in folder.parents)
            for folder in sorted(inside, key=lambda f: len(f.parts), reverse=True):
                with suppress(OSError):  # not empty, or gone
                    folder.rmdir()
            self._delete_abandoned()

    def names(self, folder: str) -> Iterator[str]:
        """Yield the whole names of all shards below ``folder``, sorted."""
        for entry in self._list(folder):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir():
                yield from self.names(name)
            else:
                yield name

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the whole names of the folders directly in ``folder``, sorted."""
        for entry in self._list(folder):
            if entry.is_dir():
                yield f"{folder}/{entry.name}" if folder else entry.name

    def _list(self, folder: str) -> list[os.DirEntry[str]]:
        path = self._find(folder) if folder else self.root
        try:
            with os.scandir(path) as entries:
                found = [entry for entry in entries if not entry.name.startswith(".")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unavailable(str(error.strerror)) from error
        # As whole names are sorted: "a-1" comes before "a/1".
        return sorted(found, key=lambda e: f"{e.name}/" if e.is_dir() else e.name)

    def _find(self, name: str) -> Path:
        return self.root / check_name(name)

    def _is_place(self) -> bool:
        return (self.root / ID_NAME).exists()

    @contextmanager
    def _written(self, parts: Parts) -> Iterator[Path]:
        """Write a file under a name of its own; it is gone afterwards, unless it was moved."""
        temporary = self.root / WRITING / f"{os.getpid()}-{secrets.token_hex(8)}"
        temporary.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                for part in parts:
                    file.write(part)
            yield temporary
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _delete_abandoned(self) -> None:
        before = time.time() - ABANDONED_SECONDS
        with suppress(OSError), os.scandir(self.root / WRITING) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.stat().st_mtime < before:
                        Path(entry.path).unlink()

    @contextmanager
    def _explain_errors(self, name: str | None = None) -> Iterator[None]:
        """Raise what the caller expects for an error of the file system; ``name`` is being read."""
        try:
            yield
        except OSError as error:
            if name and isinstance(error, FileNotFoundError) and self._is_place():
                raise describe_lost(self, name) from error
            raise self._unavailable(error.strerror or str(error)) from error

    def _unavailable(self, why: str) -> ShardsUnavailableError:
        return ShardsUnavailableError(
            f"{self.root} cannot be used ({why}): make room on its disk, mount it, or let this"
            " user write there. Waiting work then continues by itself."
        )


def _link(temporary: Path, path: Path) -> bool:
    """Give a file the name ``path``, unless there is one of this name: then return False."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError:  # a file system without links: two at once may both write
        if path.exists():
            return False
        temporary.replace(path)
    return True
