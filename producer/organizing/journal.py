"""The journal of a directory: what will be done there, on the disk before it is done.

A line is a checksum and a record in JSON. What a crash leaves incomplete at the end was not
followed by any step, since a step waits until the disk has its record.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any

from shoal.producer.organizing.records import VERSION, make_checksum, make_header, parse_record
from shoal.producer.organizing.steps import Header
from shoal.shared.errors import ShoalError, UsageError

FOLDER_NAME = ".shoal-journal"
FILE_NAME = "journal"
PROBE_NAME = "probe"  # what tries whether there can be links
MOST_HEADER_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class Begun:
    """A step as the journal has it: what was going to be done, and with which file.

    ``size`` and ``mtime_ns`` are those of the source at that time.
    """

    number: int
    source: str
    target: str
    digest: int
    size: int
    mtime_ns: int


class Journal:
    """An open, locked journal.

    Attributes:
        path: Its file.
        header: What it is about; None before it is begun.
        flags: Of each step by number: ``BEGUN``, ``COPIED``, ``DONE``.
        folders: The folders that were created, relative to the directory.
        is_undoing: Whether somebody has begun to undo it.
        n_damaged: Lines that are damaged, but for an incomplete last one.
    """

    BEGUN, COPIED, DONE = 1, 2, 4

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self._file = file
        self.header: Header | None = None
        self.flags = bytearray()
        self.folders: list[str] = []
        self.is_undoing = False
        self.n_damaged = 0
        self._read()

    def _read(self) -> None:
        """Read what there is, and cut off an incomplete last line.

        Raises:
            ShoalError: It does not say any more what it is about, or is of another version.
        """
        end = 0
        for line, record in self._lines():
            if not line.endswith(b"\n"):
                break
            end += len(line)
            if record is None:
                self.n_damaged += 1
            else:
                self._note(*record)
        if end and self.header is None:
            raise ShoalError(
                f"{self.path} is damaged, and does not say any more where files came from: put a"
                " whole one there, such as from a backup. Nothing was changed."
            )
        self._file.truncate(end)
        self._file.seek(0, os.SEEK_END)

    def _note(self, kind: str, *values: Any) -> None:
        if kind == "head":
            fields = values[0]
            if fields.pop("version") != VERSION:
                raise ShoalError(f"{self.path} is of another version of Shoal: use that one.")
            self.header = make_header(fields)
        elif kind == "folder":
            self.folders.append(values[0])
        elif kind == "step":
            self._flag([values[0]], self.BEGUN)
            self.flags[values[0]] = self.BEGUN  # it begins anew
        elif kind == "copied":
            self._flag(values[0], self.COPIED)
        elif kind == "done":
            self._flag(values[0], self.DONE)
        elif kind == "undo":
            self.is_undoing = True

    def _flag(self, numbers: list[int], flag: int) -> None:
        lacking = max(numbers, default=-1) + 1 - len(self.flags)
        self.flags.extend(bytes(max(lacking, 0)))
        for number in numbers:
            self.flags[number] |= flag

    def has(self, number: int, flag: int) -> bool:
        """Return whether a step has a flag."""
        return number < len(self.flags) and bool(self.flags[number] & flag)

    def steps(self) -> Iterator[Begun]:
        """Yield each step that was begun, once, in the order of the journal."""
        seen = bytearray(len(self.flags))
        for _, record in self._lines():
            if record and record[0] == "step" and not seen[record[1]]:
                seen[record[1]] = 1
                yield Begun(*record[1:])

    def _lines(self) -> Iterator[tuple[bytes, list[Any] | None]]:
        """Yield each line and its record; None if it is damaged."""
        self._file.seek(0)
        while line := self._file.readline():
            yield line, parse_record(line)

    def begin(self, header: Header) -> None:
        """Write what the journal is about."""
        self.append("head", {"version": VERSION} | asdict(header))
        self.sync()

    def append(self, kind: str, *values: Any) -> None:
        """Add a record, which counts after ``sync``."""
        record = json.loads(body := json.dumps([kind, *values], separators=(",", ":")))
        self._write(make_checksum(body.encode()) + b" " + body.encode() + b"\n")
        self._note(*record)

    def _write(self, line: bytes) -> None:
        self._file.write(line)

    def sync(self) -> None:
        """Wait until the disk has all records."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def remove(self) -> None:
        """Remove the journal and its folder."""
        for name in (PROBE_NAME, FILE_NAME):
            self.path.with_name(name).unlink(missing_ok=True)
        self.path.parent.rmdir()


def has_journal(directory: Path) -> bool:
    """Return whether there is a journal in a directory."""
    return os.path.lexists(directory / FOLDER_NAME / FILE_NAME)


def read_header(path: Path) -> Header | None:
    """Return what a journal is about, while others may be writing to it; None if it does not say.

    Args:
        path: The journal's file.
    """
    with suppress(OSError), _open(path, os.O_RDONLY) as file:
        record = parse_record(file.readline(MOST_HEADER_BYTES))
        match record:
            case ["head", {"version": int(version), **values}] if version == VERSION:
                return make_header({str(name): value for name, value in values.items()})
    return None


def _open(path: Path, flags: int) -> IO[bytes]:
    """Open a journal: a file where it is said to be, and neither a link nor something that waits.

    Raises:
        OSError: It cannot be opened, or is no file.
    """
    # Whoever may write to the directory could lead its journal out of it by a link.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        kept = flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path.name, kept, 0o600, dir_fd=folder)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(folder)
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no regular file", str(path))
    return os.fdopen(descriptor, "rb" if flags == os.O_RDONLY else "r+b")


@contextmanager
def open_journal(
    directory: Path, *, create: bool = False, folder: Path | None = None
) -> Iterator[Journal]:
    """Open and lock the journal of ``directory``, which may be in another ``folder``.

    Raises:
        UsageError: There is none, or another process is using it.
        OSError: It cannot be opened.
    """
    path = (folder or directory / FOLDER_NAME) / FILE_NAME
    if create:
        path.parent.mkdir(exist_ok=True)
    try:
        # Not "a+b", which on some systems reads from the end.
        file = _open(path, os.O_RDWR | (os.O_CREAT if create else 0))
    except FileNotFoundError as error:
        with suppress(OSError):  # of a process that was killed before it had a journal, or after
            path.parent.rmdir()
        raise UsageError(
            f"{directory} has no journal of Shoal: there is nothing to undo."
        ) from error
    try:
        _lock(path, file)
        yield Journal(path, file)
    finally:
        with suppress(OSError):  # what is not noted as done is looked at again
            file.close()


def _lock(path: Path, file: IO[bytes]) -> None:
    """Lock a journal that nobody else uses, and that was not removed meanwhile."""
    busy = f"Another process is at work in {path.parent.parent}: wait until it has ended."
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(busy) from error
    with suppress(FileNotFoundError):
        if os.path.samestat(path.stat(), os.fstat(file.fileno())):
            return
    raise UsageError(busy)
