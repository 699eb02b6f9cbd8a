"""The embedded server's directory: whose it is, who holds its locks, what is said if it is not."""

import errno
import fcntl
import os
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from polling import wait_until
from server_holder import HOLD, start_holder
from servers import open_redis

from shoal import Client
from shoal.producer.local.processes import WorkerProcesses
from shoal.shared.errors import ConnectionLostError, SettingsError, ShoalError, StoreFullError
from shoal.shared.server.embedded import hold_server, home_of
from shoal.shared.server.valkey import socket_path
from shoal.shared.settings import Settings


@pytest.fixture
def settings(tmp_path):
    """Settings whose server and supervisor are gone after the test."""
    settings = Settings(home=tmp_path / "home")
    yield settings
    wait_until(lambda: not find_processes(settings))


@pytest.fixture
def holder(settings):
    """Another process that holds the server."""
    process, _ = start_holder(settings)
    with (settings.home / "serving.lock").open("ab") as file:
        wait_until(lambda: is_held(file), what="the supervisor has seen the socket, too")
    yield process
    process.kill()
    process.communicate()


def is_held(file):
    """Whether another process holds this lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def find_processes(settings):
    """The server of these settings and its supervisors, but for who holds it."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if HOLD not in words and {str(settings.home), str(socket_path(settings.home))} & {
                *words
            }:
                found.add(process.pid)
    return found


def refuse(settings, expected=ShoalError):
    """Return the message with which a command ends that wants the server."""
    with pytest.raises(expected) as refusal, hold_server(settings):
        pass
    return str(refusal.value)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_server_without_its_socket_is_told_at_once_and_gets_no_second_supervisor(
    settings, holder
):
    before, started = find_processes(settings), time.monotonic()
    socket_path(settings.home).unlink()
    for _ in range(2):
        message = refuse(settings, ConnectionLostError)
        assert str(socket_path(settings.home)) in message
        assert "SHOAL_HOME" in message
        assert "end them" in message
        assert "delete" not in message
    assert time.monotonic() - started < 20
    assert find_processes(settings) == before


def test_a_server_that_was_not_reachable_goes_with_its_commands_and_keeps_its_data(
    settings, holder
):
    with hold_server(settings) as url, open_redis(url) as client:
        client.set("answer", 42)
        socket_path(settings.home).unlink()
    refuse(settings, ConnectionLostError)
    holder.kill()
    holder.wait()
    wait_until(lambda: not find_processes(settings))
    with hold_server(settings) as url, open_redis(url) as client:
        assert client.get("answer") == b"42"


@pytest.mark.parametrize(
    ("call", "code", "verb"),
    [
        ("pathlib.Path.mkdir", errno.EROFS, "created"),
        ("pathlib.Path.chmod", errno.EPERM, "made private"),
        ("os.open", errno.EROFS, "written"),
        ("os.open", errno.EDQUOT, "written"),
        ("fcntl.flock", errno.ENOLCK, "locked"),
    ],
)
def test_a_file_system_that_does_not_do_is_told_with_the_remedy(
    settings, monkeypatch, call, code, verb
):
    settings.home.mkdir(mode=0o755)

    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(call, fail)
    message = refuse(settings, SettingsError)
    assert str(settings.home) in message
    assert f"cannot be {verb} ({os.strerror(code)}): set SHOAL_HOME to another" in message


def test_a_directory_that_others_could_enter_is_made_private_with_all_its_files(settings):
    settings.home.mkdir(mode=0o755)
    for name in ("users.lock", "start.lock", "supervisor.lock", "server.log", "worker.log"):
        (settings.home / name).touch(mode=0o666)
    (settings.home / "data").mkdir(mode=0o777)
    with hold_server(settings):
        workers = WorkerProcesses(settings, 1)
        workers.start()
        workers.stop()
        assert mode_of(settings.home) == mode_of(settings.home / "data") == 0o700
        files = [path for path in settings.home.iterdir() if path.is_file()]
        assert {path.name: mode_of(path) & 0o077 for path in files} == dict.fromkeys(
            [path.name for path in files], 0
        )


def test_a_directory_of_other_files_that_others_use_stays_as_it_is(settings):
    settings.home.mkdir(mode=0o755)
    (settings.home / "holiday.jpg").touch()
    assert "SHOAL_HOME" in refuse(settings, SettingsError)
    assert mode_of(settings.home) == 0o755
    assert [path.name for path in settings.home.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("name", ["users.lock", "start.lock", "server.log"])
def test_a_file_that_is_a_link_or_a_pipe_is_refused(settings, tmp_path, name):
    settings.home.mkdir(mode=0o700)
    (settings.home / name).symlink_to(tmp_path / "elsewhere")
    assert f"{settings.home / name} is no file of Shoal's" in refuse(settings)
    assert not (tmp_path / "elsewhere").exists()
    (settings.home / name).unlink()
    os.mkfifo(settings.home / name)
    assert f"{settings.home / name} is no file of Shoal's" in refuse(settings)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a link away")
def test_a_directory_to_which_a_link_of_somebody_else_leads_is_refused(settings, tmp_path):
    (tmp_path / "target").mkdir(mode=0o700)
    settings.home.symlink_to(tmp_path / "target")
    os.lchown(settings.home, 12345, 12345)
    assert "belongs to another user" in refuse(settings)
    assert not list((tmp_path / "target").iterdir())


def test_a_link_of_ones_own_may_lead_to_the_directory(settings, tmp_path):
    (tmp_path / "target").mkdir(mode=0o700)
    settings.home.symlink_to(tmp_path / "target")
    with hold_server(settings) as url:
        assert open_redis(url).ping()


@pytest.mark.parametrize("name", ["users.lock", "start.lock"])
def test_a_lock_that_is_never_released_is_told_with_its_holder(settings, monkeypatch, name):
    monkeypatch.setattr("shoal.shared.server.locks.LOCK_SECONDS", 0.5)
    settings.home.mkdir(mode=0o700)
    with (settings.home / name).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        message = refuse(settings, ConnectionLostError)
    assert f"{settings.home / name} has been locked" in message
    assert "SHOAL_HOME" in message
    if sys.platform == "linux":
        assert f"by process {os.getpid()} (" in message


@pytest.mark.parametrize("home", [None, ""])
def test_a_user_without_a_home_directory_is_told_to_set_one(monkeypatch, home):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    with pytest.raises(SettingsError, match=r"home directory.*: set SHOAL_HOME\.$"):
        home_of(Settings())


def test_a_full_disk_is_told_with_the_directory_and_no_advice_to_delete(settings, monkeypatch):
    settings.home.mkdir(mode=0o700)
    (settings.home / "data").write_text("in the way: as if it could not be written")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2**20))
    message = refuse(settings, ConnectionLostError)
    assert f"The disk of {settings.home} has 1 MB left" in message
    assert "set SHOAL_HOME to a directory on another disk" in message
    assert "delete" not in message


def test_who_has_no_redis_is_told_which_directory_is_full(settings):
    with (
        pytest.raises(
            StoreFullError, match=rf"^Full\. The disk of {settings.home} has .*SHOAL_HOME"
        ),
        Client(settings=settings),
    ):
        raise StoreFullError("Full.")


def test_the_mode_of_new_directories_above_is_the_users_own(tmp_path):
    settings = Settings(home=Path(tmp_path / "above" / "home"))
    with hold_server(settings):
        assert mode_of(settings.home) == 0o700
    wait_until(lambda: not find_processes(settings))
