"""The embedded server: one for all commands of a user, running while any of them runs.

Each command holds a shared lock on a file, which the kernel releases however the command ends. A
supervisor process, started by the first command, ends the server once it can lock that file
exclusively. ``python -m shoal.shared.server.embedded HOME`` is the supervisor.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shoal.shared.errors import ConnectionLostError, SettingsError
from shoal.shared.server.valkey import answers, end_orphan, is_ready, socket_path, start_server
from shoal.shared.settings import Settings

SERVER_START_SECONDS = 30.0
LOCK_POLL_SECONDS = 0.05
# A server that dies sooner is crashing, and is started again after ever longer pauses.
STEADY_SECONDS = 10.0
MAX_PAUSE_SECONDS = 5.0
# A longer log is emptied, as nothing else ever shortens it.
MAX_LOG_BYTES = 10_000_000


def home_of(settings: Settings) -> Path:
    """Return the directory of the embedded server's data."""
    if settings.home:
        return settings.home
    from platformdirs import user_data_path  # imported only if needed: `shoal status` must be quick

    return user_data_path("shoal")


def server_url(settings: Settings) -> str:
    """Return the URL of the embedded server, whether it is running or not."""
    return f"unix://{socket_path(home_of(settings))}"


@dataclass(frozen=True)
class Disk:
    """The disk of the embedded server's data: its directory there, and what is free, if known."""

    directory: Path
    free_bytes: int | None


def find_disk(settings: Settings) -> Disk:
    """Find the disk on which the embedded server keeps its data."""
    directory = home_of(settings) / "data"
    try:
        return Disk(directory, shutil.disk_usage(directory).free)
    except OSError:
        return Disk(directory, None)


@contextmanager
def hold_server(settings: Settings) -> Iterator[str]:
    """Keep the embedded server running, started if necessary; yield its URL.

    Raises:
        ConnectionLostError: The server does not start; the message names its log.
    """
    home = _make_private(home_of(settings))
    _make_private(socket_path(home).parent)
    try:
        with locked(home / "users.lock", fcntl.LOCK_SH):
            if not _is_serving(home):
                _start_supervisor(home)
            yield server_url(settings)
    finally:
        _end_abandoned(home)


def _make_private(directory: Path) -> Path:
    """Create ``directory``, for this user only.

    Raises:
        ConnectionLostError: It belongs to another user.
        SettingsError: It cannot be created.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = directory.stat().st_uid
    except OSError as error:
        raise SettingsError(
            f"{directory} cannot be created ({error.strerror}):"
            " set SHOAL_HOME to another directory."
        ) from error
    if owner != os.getuid():
        raise ConnectionLostError(f"{directory} belongs to another user: set SHOAL_HOME.")
    return directory


@contextmanager
def locked(path: Path, mode: int) -> Iterator[IO[bytes]]:
    """Hold a lock on the file ``path``, once it can be had."""
    with path.open("ab") as file:
        fcntl.flock(file, mode)
        yield file


def _is_locked(path: Path) -> bool:
    """Return whether a process has locked the file ``path`` exclusively."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _is_serving(home: Path) -> bool:
    """Return whether a supervised server has read its data and answers."""
    return _is_locked(home / "supervisor.lock") and is_ready(socket_path(home))


def _start_supervisor(home: Path) -> None:
    """Start the server's supervisor and wait until the server answers."""
    log = home / "server.log"
    shorten(log)
    with locked(home / "start.lock", fcntl.LOCK_EX), log.open("ab") as output:
        if _is_serving(home):
            return  # another command was quicker
        if not _is_locked(home / "supervisor.lock"):
            end_orphan(home)  # or it would be taken for the new server
        supervisor = subprocess.Popen(
            # -P: files in the current directory must not be imported in place of our modules.
            [sys.executable, "-P", "-m", "shoal.shared.server.embedded", str(home)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C ends the command, not the server
        )
        deadline = time.monotonic() + SERVER_START_SECONDS
        while not _is_serving(home):
            # A server that listens already may still read gigabytes: then there is no deadline.
            late = time.monotonic() > deadline and not answers(socket_path(home))
            if supervisor.poll() is not None or late:
                raise ConnectionLostError(
                    f"The embedded server does not start: see {log}, and whether its disk is full."
                    f" If its data cannot be read any more, delete {home / 'data'} to begin anew,"
                    " without the jobs in it."
                )
            time.sleep(LOCK_POLL_SECONDS)


def _end_abandoned(home: Path) -> None:
    """End a server whose supervisor was killed, unless a command still uses it."""
    if not home.is_dir():
        return  # it was deleted meanwhile
    with (home / "start.lock").open("ab") as start, (home / "users.lock").open("ab") as users:
        is_idle = _try_lock(start) and not _is_locked(home / "supervisor.lock") and _try_lock(users)
        if is_idle:
            end_orphan(home)


def shorten(log: Path) -> None:
    """Empty a log that has become too long."""
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        os.truncate(log, 0)


def _supervise(home: Path) -> None:
    """Run the server until no command uses it; start it again whenever it dies.

    But a server that exits with an error before it has ever answered would do so again.
    """
    with locked(home / "supervisor.lock", fcntl.LOCK_EX), (home / "users.lock").open("ab") as users:
        end_orphan(home)
        server, started, pause = start_server(home), time.monotonic(), 0.0
        has_answered = False
        try:
            while not _try_lock(users):
                has_answered = has_answered or answers(socket_path(home))
                if server.poll() is not None:
                    if server.returncode > 0 and not has_answered:
                        return
                    pause = pause_before_restart(pause, time.monotonic() - started)
                    time.sleep(pause)
                    server, started = start_server(home), time.monotonic()
                time.sleep(LOCK_POLL_SECONDS)
        finally:
            server.terminate()
            server.wait()


def pause_before_restart(last_seconds: float, lived_seconds: float) -> float:
    """Return how many seconds to wait before a server that died is started again.

    Args:
        last_seconds: The pause before its last start.
        lived_seconds: How long it ran since.
    """
    if lived_seconds > STEADY_SECONDS:
        return 0.0
    return min(2 * last_seconds + LOCK_POLL_SECONDS, MAX_PAUSE_SECONDS)


def _try_lock(file: IO[bytes]) -> bool:
    """Lock ``file`` exclusively; return False if another process holds a lock on it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    # Raises an exception, so that the server is ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _supervise(Path(sys.argv[1]))
