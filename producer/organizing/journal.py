"""The journal of a directory: what will be done there, on the disk before it is done.

A line is a checksum and a record in JSON. What a crash leaves incomplete at the end was not
followed by any step, since a step waits until the disk has its record.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import xxhash

from shoal.producer.organizing.steps import Header, Mode
from shoal.shared.errors import ShoalError, UsageError

FOLDER_NAME = ".shoal-journal"
FILE_NAME = "journal"
PROBE_NAME = "probe"  # what tries whether there can be links
VERSION = 1
# Steps between two waits for the disk.
STEPS_PER_SYNC = 256


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
        n_damaged: Lines that are damaged and are not the last.
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
        """Read what there is, and cut off an incomplete end."""
        end = 0
        for start, record in self._lines():
            if record is None:
                continue
            # Lines that were lost before a whole one are no incomplete end.
            self.n_damaged += start != end
            end = self._file.tell()
            self._note(*record)
        self._file.truncate(end)
        self._file.seek(0, os.SEEK_END)

    def _note(self, kind: str, *values: Any) -> None:
        if kind == "head":
            fields = values[0]
            if fields.pop("version") != VERSION:
                raise ShoalError(f"{self.path} is of another version of Shoal: use that one.")
            made = tuple(fields.pop("made"))
            self.header = Header(**fields | {"mode": Mode(fields["mode"]), "made": made})
        elif kind == "folder":
            self.folders.append(values[0])
        elif kind == "step":
            self._flag([values[0]], self.BEGUN)
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

    def _lines(self) -> Iterator[tuple[int, list[Any] | None]]:
        """Yield where each line starts, and its record; None if it is not whole."""
        self._file.seek(0)
        while line := self._file.readline():
            start = self._file.tell() - len(line)
            checksum, _, body = line.rstrip(b"\n").partition(b" ")
            is_whole = line.endswith(b"\n") and checksum == _checksum(body)
            yield start, json.loads(body) if is_whole else None

    def begin(self, header: Header) -> None:
        """Write what the journal is about."""
        self.append("head", {"version": VERSION} | asdict(header))
        self.sync()

    def append(self, kind: str, *values: Any) -> None:
        """Add a record, which counts after ``sync``."""
        record = json.loads(body := json.dumps([kind, *values], separators=(",", ":")))
        self._write(_checksum(body.encode()) + b" " + body.encode() + b"\n")
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


@contextmanager
def open_journal(directory: Path, *, create: bool = False) -> Iterator[Journal]:
    """Open and lock the journal of ``directory``.

    Raises:
        UsageError: There is none, or another process is using it.
        OSError: It cannot be opened.
    """
    path = directory / FOLDER_NAME / FILE_NAME
    if create:
        path.parent.mkdir(exist_ok=True)
    try:
        # Not "a+b", which on some systems reads from the end.
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
        file = os.fdopen(os.open(path, flags, 0o600), "r+b")
    except FileNotFoundError as error:
        with suppress(OSError):  # of a process that was killed before it had a journal, or after
            path.parent.rmdir()
        raise UsageError(
            f"{directory} has no journal of Shoal: there is nothing to undo."
        ) from error
    with file:
        _lock(path, file)
        journal = Journal(path, file)
        try:
            yield journal
        finally:
            with suppress(OSError):  # what is not noted as done is looked at again
                file.flush()


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


def _checksum(body: bytes) -> bytes:
    return xxhash.xxh3_64_hexdigest(body).encode()
