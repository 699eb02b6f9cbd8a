"""Directories, files and locks that only their user has: others could hold a lock for ever.

The kernel releases a lock however its process ends.
"""

import errno
import fcntl
import os
import pwd
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from shoal.shared.errors import ConnectionLostError, SettingsError

LOCK_SECONDS = 30.0
LOCK_POLL_SECONDS = 0.05
FOREIGN_BITS = 0o077
# What Shoal keeps in a directory of its own.
OWN_NAMES = ("data", "shards", ".lock", ".log", ".sock")


def make_private(directory: Path) -> Path:
    """Create ``directory``, or make it one that only this user may enter.

    Raises:
        ConnectionLostError: It belongs to another user, or a link of another user leads to it.
        SettingsError: It cannot be created, or holds files that others may use.
    """
    with _explain_errors(directory, "created"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        link, found = directory.lstat(), directory.stat()
        names = os.listdir(directory) if found.st_mode & FOREIGN_BITS else []  # noqa: PTH208  names
    if found.st_uid != os.getuid() or link.st_uid not in {os.getuid(), 0}:
        raise ConnectionLostError(f"{directory} belongs to another user: set SHOAL_HOME.")
    if not all(name.endswith(OWN_NAMES) for name in names):
        raise SettingsError(
            f"{directory} has files that are not Shoal's, and others may enter it:"
            " set SHOAL_HOME to a directory of its own."
        )
    if found.st_mode & FOREIGN_BITS:
        with _explain_errors(directory, "made private"):
            directory.chmod(0o700)
    return directory


@contextmanager
def _explain_errors(path: Path, verb: str) -> Iterator[None]:
    """Raise SettingsError if the file system does not let ``path`` be used."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            raise  # another directory would not help
        raise SettingsError(
            f"{path} cannot be {verb} ({error.strerror}): set SHOAL_HOME to another directory."
        ) from error


@contextmanager
def open_private(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write at its end, which nobody else may open; create it if need be.

    Raises:
        ConnectionLostError: It is a link, no file, or belongs to another user.
        SettingsError: It cannot be opened, as on a read-only file system.
    """
    with _explain_errors(path, "written"):
        try:
            # A link is not followed, and a pipe that nobody reads not waited for.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            opened = open(path, "ab", opener=lambda name, _: os.open(name, flags, 0o600))  # noqa: SIM115  below
        except OSError as error:
            if error.errno in {errno.EISDIR, errno.ELOOP, errno.ENXIO}:
                raise ConnectionLostError(f"{path} is no file of Shoal's: remove it.") from error
            raise
    with opened as file:
        status = os.fstat(file.fileno())
        if status.st_uid != os.getuid():
            raise ConnectionLostError(f"{path} belongs to another user: set SHOAL_HOME.")
        if status.st_mode & FOREIGN_BITS:
            os.fchmod(file.fileno(), 0o600)
        yield file


@contextmanager
def locked(
    path: Path, mode: int, *, is_busy: Callable[[], bool] = lambda: False
) -> Iterator[IO[bytes]]:
    """Hold a lock on the file ``path``, once it can be had.

    Args:
        path: Created if need be.
        mode: ``fcntl.LOCK_SH`` or ``fcntl.LOCK_EX``.
        is_busy: Whether to wait for longer than ``LOCK_SECONDS``, since its holder is at work.

    Raises:
        ConnectionLostError: Another process does not release it; the message says which.
        SettingsError: It cannot be opened, or its file system has no locks.
    """
    with open_private(path) as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while not try_lock(file, mode):
            if time.monotonic() > deadline and not is_busy():
                raise ConnectionLostError(
                    f"{path} has been locked for {LOCK_SECONDS:.0f} s by"
                    f" {describe_holder(path)}: end it, or set SHOAL_HOME to another directory."
                )
            time.sleep(LOCK_POLL_SECONDS)
        yield file


def try_lock(file: IO[bytes], mode: int = fcntl.LOCK_EX) -> bool:
    """Lock ``file``; return False if another process holds a lock that does not allow it.

    Raises:
        SettingsError: Its file system has no locks.
    """
    with _explain_errors(Path(file.name), "locked"):
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def is_locked(path: Path) -> bool:
    """Return whether a process has locked the file ``path`` exclusively."""
    with open_private(path) as file:
        return not try_lock(file, fcntl.LOCK_SH)  # so that those who look do not see each other


def describe_holder(path: Path) -> str:
    """Describe the process that has locked the file ``path``, as far as the system tells it."""
    with suppress(OSError, ValueError):  # only Linux lists its locks
        inode = str(path.stat().st_ino)
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
                return _describe_process(int(words[4]))
    return "another process"


def _describe_process(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        owner = pwd.getpwuid(Path(f"/proc/{pid}").stat().st_uid).pw_name
    except (OSError, KeyError):
        return f"process {pid}"
    return f"process {pid} ({name} of user {owner})"
