"""The embedded server: there while anybody uses it, and never without its data."""

import fcntl
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest
from polling import wait_until
from server_holder import start_holder
from servers import open_redis

from shoal import Client
from shoal.producer.local.processes import WorkerProcesses
from shoal.shared.errors import ConnectionLostError, SettingsError, ShoalError
from shoal.shared.messaging.broker import make_app
from shoal.shared.redis.connection import describe_faults
from shoal.shared.server.embedded import (
    MAX_LOG_BYTES,
    MAX_PAUSE_SECONDS,
    STEADY_SECONDS,
    hold_server,
    home_of,
    pause_before_restart,
    server_url,
    shorten,
    supervise,
)
from shoal.shared.server.locks import locked, make_private
from shoal.shared.server.valkey import SOCKET_PATH_BYTES, is_ready, socket_path
from shoal.shared.settings import Settings
from shoal.shared.store.keys import active


@pytest.fixture
def settings(tmp_path):
    """Settings whose server and supervisor are gone after the test."""
    settings = Settings(home=tmp_path / "home")
    yield settings
    wait_until(lambda: not find_processes(settings))


def find_processes(settings):
    """The server of these settings and its supervisor."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if str(settings.home) in words or str(socket_path(settings.home)) in words:
                found.append(process)
    return found


@pytest.fixture
def holder(settings):
    """Another process that holds the server."""
    process, url = start_holder(settings)
    assert url == server_url(settings)
    yield process
    process.kill()
    process.communicate()


def server_process(client):
    return psutil.Process(client.info("server")["process_id"])


def test_two_holders_share_one_server(settings, holder):
    with hold_server(settings) as url:
        first = server_process(open_redis(url)).pid
        with hold_server(settings) as again:
            assert again == url
            assert server_process(open_redis(url)).pid == first
    assert server_process(open_redis(url)).pid == first


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_is_gone_after_the_last_holder_however_it_ends(settings, holder, end):
    with hold_server(settings) as url:
        server = server_process(open_redis(url))
        holder.send_signal(end)
        holder.wait()
        assert server.is_running()
    wait_until(lambda: not server.is_running())
    wait_until(lambda: not find_processes(settings))


def test_many_that_come_at_once_get_one_server(settings):
    servers = []

    def use():
        with hold_server(settings) as url, open_redis(url) as client:
            servers.append(server_process(client).pid)
            gate.wait(30)

    gate = threading.Barrier(4)
    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(servers) == 4
    assert len(set(servers)) == 1


def test_data_survives_from_one_holder_to_the_next(settings):
    with hold_server(settings) as url:
        open_redis(url).set("answer", 42)
    with hold_server(settings) as url:
        assert open_redis(url).get("answer") == b"42"


def test_a_server_that_is_killed_comes_back_with_its_data(settings):
    with hold_server(settings) as url, open_redis(url) as client:
        client.set("answer", 42)
        client.waitaof(1, 0, 30_000)
        killed = server_process(client)
        killed.kill()
        assert client.get("answer") == b"42"
        assert server_process(client).pid != killed.pid


def test_a_killed_supervisor_costs_nobody_the_server(settings):
    with hold_server(settings) as url, open_redis(url) as client:
        client.set("answer", 42)
        orphan = server_process(client)
        supervisor = orphan.parent()
        supervisor.kill()
        supervisor.wait(20)
        assert client.get("answer") == b"42"
        with hold_server(settings), open_redis(url, retries=0) as hasty:
            assert hasty.get("answer") == b"42"
            assert server_process(hasty).pid != orphan.pid
        assert client.get("answer") == b"42"


def test_supervisor_and_server_may_be_killed_at_once(settings):
    with hold_server(settings) as url:
        client = open_redis(url)
        client.set("answer", 42)
        client.waitaof(1, 0, 30_000)
        server = server_process(client)
        server.parent().kill()
        server.kill()
    with hold_server(settings) as url:
        assert open_redis(url).get("answer") == b"42"


def test_the_server_loses_no_work(settings):
    with hold_server(settings) as url, open_redis(url) as client:
        assert describe_faults(client) == []
        assert client.config_get("port") == {"port": "0"}


def test_the_file_is_rewritten_without_compressing_it(settings):
    with hold_server(settings) as url, open_redis(url) as client:
        client.set("key", bytes(10**6))
        client.bgrewriteaof()
        wait_until(lambda: size_of_base(client) > 10**6)


@pytest.mark.skipif(sys.platform != "linux", reason="counts the faults of Linux")
def test_the_server_keeps_freed_memory_for_the_next_features(settings):
    with hold_server(settings) as url, open_redis(url) as client:
        # What waits for a slow disk grows, in memory that was never freed.
        client.config_set("appendfsync", "no")
        for _ in range(10):
            client.set("features", bytes(2**22))
        before = count_page_faults(client)
        for _ in range(20):
            client.set("features", bytes(2**22))
        pages = 20 * 2**22 // resource.getpagesize()
        assert count_page_faults(client) - before < pages / 4


def count_page_faults(client):
    """Return how many pages the kernel had to clear for the server, as proc(5) tells it."""
    status = Path(f"/proc/{client.info('server')['process_id']}/stat").read_text()
    return int(status.rpartition(")")[2].split()[7])


def size_of_base(client):
    """Return the bytes of the append-only file as of its last rewriting."""
    return client.info("persistence")["aof_base_size"]


def test_only_its_user_may_enter_the_directory(settings):
    with hold_server(settings):
        assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
        assert stat.S_IMODE((home_of(settings) / "data").stat().st_mode) == 0o700
        assert stat.S_IMODE(socket_path(settings.home).stat().st_mode) == 0o700


@pytest.mark.parametrize("length", [1, 60, 150, 240])
def test_a_home_of_any_length_has_a_socket_that_the_kernel_accepts(tmp_path, length):
    home = tmp_path / ("h" * length)
    path = socket_path(home)
    assert len(bytes(path)) <= SOCKET_PATH_BYTES
    assert path == socket_path(home)
    assert path != socket_path(tmp_path / ("i" * length))


def test_the_socket_of_a_home_is_the_same_for_every_temporary_directory(tmp_path, monkeypatch):
    home = tmp_path / "with space"
    before = socket_path(home)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert socket_path(home) == before


@pytest.mark.parametrize("name", ["file/home", "h" * 300])
def test_a_home_that_cannot_be_made_is_told(tmp_path, name):
    (tmp_path / "file").touch()
    with (
        pytest.raises(SettingsError, match=r"cannot be created .*: set SHOAL_HOME"),
        hold_server(Settings(home=tmp_path / name)),
    ):
        pass


def test_data_that_cannot_be_read_is_told_at_once_with_the_remedy(settings, monkeypatch):
    monkeypatch.setattr("shoal.shared.server.embedded.SERVER_START_SECONDS", 600)
    with hold_server(settings) as url, open_redis(url) as client:
        client.set("key", bytes(10_000))
    wait_until(lambda: not find_processes(settings))
    (file,) = settings.home.glob("data/appendonlydir/*.incr.aof")
    file.write_bytes(file.read_bytes().replace(b"\r\n$", b"\r\n?"))
    remedy = f"delete {settings.home / 'data'} to begin anew"
    with pytest.raises(ConnectionLostError, match=remedy), hold_server(settings):
        pass
    shutil.rmtree(home_of(settings) / "data")
    with hold_server(settings) as url, open_redis(url) as client:
        assert client.ping()


UNREADABLE = """
import socket, sys
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    while True:
        with listener.accept()[0] as connection:
            if connection.recv(100):
                connection.sendall(b"-LOADING Valkey is loading the dataset in memory\\r\\n")
                sys.exit(1)
"""


def test_a_server_that_ends_while_it_reads_its_data_is_not_started_again(settings, monkeypatch):
    started = []

    def start(home):
        command = [sys.executable, "-c", UNREADABLE, str(socket_path(home))]
        started.append(subprocess.Popen(command))
        return started[-1]

    monkeypatch.setattr("shoal.shared.server.embedded.start_server", start)
    home = make_private(settings.home)
    with locked(home / "users.lock", fcntl.LOCK_SH):
        supervise(home)
    assert [server.returncode for server in started] == [1]


def test_a_home_of_somebody_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getuid", lambda: tmp_path.stat().st_uid + 1)
    with (
        pytest.raises(ConnectionLostError, match="belongs to another user"),
        hold_server(Settings(home=tmp_path / "home")),
    ):
        pass


def test_a_server_whose_supervisor_was_killed_ends_with_its_last_user(settings):
    with hold_server(settings) as url:
        server = open_redis(url).info("server")["process_id"]
        for process in find_processes(settings):
            if process.pid != server:
                process.kill()
                process.wait()
        assert open_redis(url).ping()
    wait_until(lambda: not find_processes(settings))


def test_a_home_with_a_long_path_works_and_its_socket_is_private(tmp_path):
    settings = Settings(home=tmp_path / ("h" * 150) / "with space")
    with hold_server(settings) as url:
        assert open_redis(url).ping()
        directory = socket_path(home_of(settings)).parent
        assert not directory.is_relative_to(tmp_path)
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    wait_until(lambda: not find_processes(settings))
    directory.rmdir()


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%2Fb", "a b", "ä", "a@b:c"])
def test_a_home_may_have_any_name(tmp_path, name):
    settings = Settings(home=tmp_path / name)
    with hold_server(settings) as url, make_app(url).connection_for_write() as broker:
        assert open_redis(url).ping()
        broker.ensure_connection(max_retries=1)
        assert (home_of(settings) / "data").is_dir()
        directory = socket_path(home_of(settings)).parent
    wait_until(lambda: not find_processes(settings))
    directory.rmdir()


def test_a_server_that_crashes_is_started_ever_more_slowly():
    pauses = [0.0]
    while len(pauses) < 10:
        pauses.append(pause_before_restart(pauses[-1], 0.1))
    assert pauses == sorted(pauses)
    assert pauses[1] < 0.1
    assert pauses[-1] == MAX_PAUSE_SECONDS
    assert pause_before_restart(MAX_PAUSE_SECONDS, STEADY_SECONDS + 1) == 0


def test_a_log_that_has_grown_long_is_begun_anew(tmp_path):
    log = tmp_path / "worker.log"
    shorten(log)
    assert not log.exists()
    for size in (MAX_LOG_BYTES, MAX_LOG_BYTES + 1):
        log.write_bytes(b"x" * size)
        shorten(log)
        assert log.stat().st_size == (size if size == MAX_LOG_BYTES else 0)


def test_workers_take_their_children_with_them(settings):
    with hold_server(settings), ExitStack() as stack:
        workers = WorkerProcesses(settings, 1)
        stack.callback(workers.stop)
        workers.start()
        lost = psutil.Process(workers.processes[0].pid)
        [child] = wait_until_found(lambda: find_pool(lost))
        child.suspend()  # or it would see by itself that it is alone
        lost.kill()
    wait_until(lambda: not is_alive(child))


def test_workers_of_ones_own_are_there_before_they_give_signs_of_life(settings):
    with Client(settings=settings) as client:
        client.workers.start(1)
        assert client.workers.are_running()
        replaced = list(find_started(client))
        client.workers.start(1)
        assert all(process.poll() is not None for process in replaced)
    assert not client.workers.processes


@pytest.mark.parametrize("others_work", [False, True])
def test_workers_say_no_farewell_unless_a_job_may_need_them(settings, digits, others_work):
    with Client(settings=settings) as client:
        job = client.submit(digits, clusters=2, features="pixels")
        job.wait(timeout_seconds=60)
        wait_until(client.registry.is_at_rest)
        started = list(find_started(client))
        if others_work:
            client.registry.client.zadd(active(), {"another": 0})
        client.workers.close()
        expected = 0 if others_work else -signal.SIGKILL
        assert [process.returncode for process in started] == [expected] * 2
        assert client.registry.workers(within_seconds=60) == []


def test_a_client_starts_workers_when_those_it_counted_on_have_gone(settings, digits):
    with Client(settings=settings) as client:
        client.registry.note_worker("gone@host")
        job = client.submit(digits, clusters=2, features="pixels")
        assert client.workers.processes is None
        client.registry.forget_worker("gone@host")
        assert job.wait(timeout_seconds=60).images.loaded == 300
        processes = list(find_started(client))
        assert len(processes) == 2
    assert client.workers.processes is None
    assert all(process.poll() is not None for process in processes)


def test_a_client_whose_own_workers_died_does_not_wait_for_ever(settings, digits):
    with Client(settings=settings) as client:
        job = client.submit(digits, clusters=2, features="pixels")
        for process in find_started(client):
            process.kill()
        with pytest.raises(ShoalError, match=r"worker\.log says why"):
            job.wait(timeout_seconds=60)


def find_started(client):
    """The processes of the workers that a client started."""
    assert client.workers.processes
    return client.workers.processes.processes


def wait_until_found(find):
    return wait_until(lambda: list(find()))


def find_pool(worker):
    """The processes of a worker's pool; what it starts for a moment is another program."""
    found = []
    for child in worker.children():
        with suppress(psutil.NoSuchProcess):
            if child.cmdline() == worker.cmdline():
                found.append(child)
    return found


def is_alive(process):
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def test_a_server_that_does_not_start_names_its_log(settings, monkeypatch):
    settings.home.mkdir(0o700)
    (home_of(settings) / "data").write_text("in the way")
    with pytest.raises(ConnectionLostError, match=r"server\.log"), hold_server(settings):
        pass


def test_a_server_is_ready_once_it_has_read_its_data(tmp_path):
    path = Path(tmp_path / "s.sock")
    assert not is_ready(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        replies = [b"-LOADING Valkey is loading the dataset in memory\r\n", b"+PONG\r\n"]
        answering = threading.Thread(target=answer, args=(listener, replies))
        answering.start()
        assert [is_ready(path), is_ready(path)] == [False, True]
        answering.join()


def answer(listener, replies):
    for reply in replies:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(reply)
