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

from shoal.shared.errors import ConnectionLostError, SettingsError, StoreFullError
from shoal.shared.server.faults import describe_failure, describe_room, describe_unreachable
from shoal.shared.server.locks import (
    LOCK_POLL_SECONDS,
    is_locked,
    locked,
    make_private,
    open_private,
    try_lock,
)
from shoal.shared.server.valkey import (
    answers,
    data_path,
    end_orphan,
    is_ready,
    socket_path,
    start_server,
)
from shoal.shared.settings import Settings

SERVER_START_SECONDS = 30.0
# An empty server answers after some hundredths of a second.
START_POLL_SECONDS = 0.01
# For how long a server answers its supervisor and not us; after a crash, it soon answers both.
UNREACHABLE_SECONDS = 3.0
# A server that dies sooner is crashing, and is started again after ever longer pauses.
STEADY_SECONDS = 10.0
MAX_PAUSE_SECONDS = 5.0
# A longer log is emptied, as nothing else ever shortens it.
MAX_LOG_BYTES = 10_000_000


def home_of(settings: Settings) -> Path:
    """Return the directory of the embedded server, with its data, its logs and its locks.

    Raises:
        SettingsError: It is not set, and this user has no home directory.
    """
    if settings.home:
        return settings.home
    from platformdirs import user_data_path  # imported only if needed: `shoal status` must be quick

    try:
        home = user_data_path("shoal")
    except RuntimeError as error:
        raise SettingsError("You have no home directory: set SHOAL_HOME.") from error
    if not home.is_absolute():
        raise SettingsError("Your home directory is not an absolute path: set SHOAL_HOME.")
    return home


@dataclass(frozen=True)
class Disk:
    """The disk of a directory, and what is free on it, and its number, as far as they are known."""

    directory: Path
    free_bytes: int | None
    device: int | None = None


def find_disk(settings: Settings) -> Disk:
    """Find the disk on which the embedded server keeps its data."""
    return disk_of(data_path(home_of(settings)))


def disk_of(directory: Path) -> Disk:
    """Return the disk of a directory."""
    try:
        return Disk(directory, shutil.disk_usage(directory).free, directory.stat().st_dev)
    except OSError:
        return Disk(directory, None)


def server_url(settings: Settings) -> str:
    """Return the URL of the embedded server, whether it is running or not."""
    return f"unix://{socket_path(home_of(settings))}"


@contextmanager
def hold_server(settings: Settings) -> Iterator[str]:
    """Keep the embedded server running, started if necessary; yield its URL.

    Raises:
        ConnectionLostError: The server does not start; the message names its log.
        SettingsError: Its directory cannot be used.
        StoreFullError: As raised in this context; the message names the directory as well.
    """
    home = make_private(home_of(settings))
    make_private(socket_path(home).parent)
    if data_path(home).is_dir():
        make_private(data_path(home))
    try:
        with locked(home / "users.lock", fcntl.LOCK_SH):
            if not _is_serving(home):
                _wait_for_server(home)
            try:
                yield server_url(settings)
            except StoreFullError as error:
                # Its user has no Redis, but this directory.
                raise StoreFullError(f"{error} {describe_room(home)}.") from error
    finally:
        _end_abandoned(home)


def _is_serving(home: Path) -> bool:
    """Return whether a supervised server has read its data and answers."""
    return is_locked(home / "supervisor.lock") and is_ready(socket_path(home))


def _wait_for_server(home: Path) -> None:
    """Wait until the server answers; start its supervisor unless there is one.

    Raises:
        ConnectionLostError: It does not start, or runs where it cannot be reached.
    """
    path, supervisor = socket_path(home), None
    # Another command may be starting it, and it may read gigabytes.
    with locked(home / "start.lock", fcntl.LOCK_EX, is_busy=lambda: answers(path)):
        started = seen = time.monotonic()
        while not _is_serving(home):
            if supervisor is None and not is_locked(home / "supervisor.lock"):
                end_orphan(home)  # or it would be taken for the new server
                supervisor = _start_supervisor(home)
            if supervisor and supervisor.poll() is not None:
                raise ConnectionLostError(describe_failure(home))
            # A server that listens already may still read gigabytes: then there is no deadline.
            if answers(path):
                started = seen = time.monotonic()
            elif not is_locked(home / "serving.lock"):
                seen = time.monotonic()
            is_late = time.monotonic() - started > SERVER_START_SECONDS
            if is_late or time.monotonic() - seen > UNREACHABLE_SECONDS:
                raise ConnectionLostError(describe_unreachable(home))
            time.sleep(START_POLL_SECONDS)


def _start_supervisor(home: Path) -> "subprocess.Popen[bytes]":
    log = home / "server.log"
    with open_private(log) as output:
        shorten(log)
        return subprocess.Popen(
            # -P: files in the current directory must not be imported in place of our modules.
            [sys.executable, "-P", "-m", "shoal.shared.server.embedded", str(home)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C ends the command, not the server
        )


def _end_abandoned(home: Path) -> None:
    """End a server whose supervisor was killed, unless a command still uses it."""
    if not home.is_dir():
        return  # it was deleted meanwhile
    with open_private(home / "start.lock") as start, open_private(home / "users.lock") as users:
        is_idle = try_lock(start) and not is_locked(home / "supervisor.lock") and try_lock(users)
        if is_idle:
            end_orphan(home)


def shorten(log: Path) -> None:
    """Empty a log that has become too long."""
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        os.truncate(log, 0)


def supervise(home: Path) -> None:
    """Run the server until no command uses it; start it again whenever it dies.

    But a server that exits with an error before it has ever read its data would do so again.
    """
    with (
        locked(home / "supervisor.lock", fcntl.LOCK_EX),
        open_private(home / "users.lock") as users,
        open_private(home / "serving.lock") as serving,
    ):
        end_orphan(home)
        server, started, pause = start_server(home), time.monotonic(), 0.0
        has_answered = is_serving = False
        try:
            while not try_lock(users):
                if not is_serving and answers(socket_path(home)):
                    is_serving = try_lock(serving)  # for commands that do not see the socket
                # It listens before it has read its data, at which it may end yet.
                has_answered = has_answered or is_ready(socket_path(home), LOCK_POLL_SECONDS)
                if server.poll() is not None:
                    fcntl.flock(serving, fcntl.LOCK_UN)
                    is_serving = False
                    if server.returncode > 0 and not has_answered:
                        return
                    pause = pause_before_restart(pause, time.monotonic() - started)
                    time.sleep(pause)
                    server, started = start_server(home), time.monotonic()
                time.sleep(LOCK_POLL_SECONDS)
        finally:
            fcntl.flock(serving, fcntl.LOCK_UN)
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


if __name__ == "__main__":
    # Raises an exception, so that the server is ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    supervise(Path(sys.argv[1]))
