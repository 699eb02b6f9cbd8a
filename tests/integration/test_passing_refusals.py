"""What a server refuses for a while: whoever reads reads on, whoever waits waits."""

import signal
import time
from contextlib import suppress

import pytest
from polling import wait_until
from quick import QuickClient, make_quick_request
from redis.exceptions import BusyLoadingError

from shoal.shared.errors import (
    ConnectionLostError,
    StoreUnavailableError,
    TooLargeError,
    WaitTimeoutError,
)
from shoal.shared.jobs import JobRequest, State, Status
from shoal.shared.redis.connection import connect
from shoal.shared.settings import Settings
from shoal.shared.store import EndedSessions, Registry
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.loading.loading import load_batch

# Of each kind: how to have a server refuse, and take it back.
REFUSALS = {
    "out of memory": (["CONFIG SET maxmemory 1"], ["CONFIG SET maxmemory 0"]),
    "too few replicas": (
        ["CONFIG SET min-replicas-to-write 1"],
        ["CONFIG SET min-replicas-to-write 0"],
    ),
    "a replica": (["REPLICAOF 127.0.0.1 1"], ["REPLICAOF NO ONE"]),
}


@pytest.fixture
def client(own_server, digits):
    own_server.start()
    settings = Settings(redis_url=own_server.url, sweep_seconds=0.5, cache_bytes=0)
    with QuickClient(own_server.url, settings=settings) as client:
        yield client


@pytest.fixture
def job(client, digits):
    return client.submit(digits, clusters=2)


def tell(server, commands):
    for command in commands:
        server.client.execute_command(*command.split())


@pytest.mark.parametrize("kind", REFUSALS)
def test_who_reads_reads_on_and_who_waits_waits(own_server, client, job, kind):
    refuse, permit = REFUSALS[kind]
    tell(own_server, refuse)
    with pytest.raises(StoreUnavailableError, match=r"by itself\."):
        Registry(client.redis).register("other", JobRequest(source="/"), [["a.png"]])
    assert [status.job_id for status in client.jobs()] == [job.id]
    assert client.registry.find("none") == client.registry.workers(30) == []
    assert EndedSessions(client.redis).find(time.time()) == set()
    assert list(job.failures()) == []
    seen: list[Status | None] = []
    with pytest.raises(WaitTimeoutError):
        job.wait(timeout_seconds=1, on_status=seen.append)
    assert {status and status.state for status in seen} == {State.QUEUED}
    tell(own_server, permit)
    assert job.cancel() is State.CANCELLED


def test_a_script_of_another_program_that_keeps_the_server_busy_passes(own_server, client, job):
    own_server.client.config_set("busy-reply-threshold", 1)
    busy = connect(own_server.url, retries=0, timeout_seconds=0.5)
    with suppress(ConnectionLostError):
        busy.register_script("while true do end")(keys=[], args=[])
    with pytest.raises(StoreUnavailableError, match="another program's script"):
        client.registry.now()
    own_server.client.script_kill()

    def answers():
        with suppress(StoreUnavailableError):  # the script ends a moment later
            return client.registry.now()

    wait_until(answers)


def test_a_server_that_stands_still_is_told_in_seconds(own_server, client, job):
    seen = []

    def look(status):
        seen.append(status)
        if len(seen) == 1:
            own_server.process.send_signal(signal.SIGSTOP)
        elif status is None:
            own_server.process.send_signal(signal.SIGCONT)
            raise TimeoutError

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        job.wait(on_status=look)
    assert time.monotonic() - began < 30
    assert job.status().state is State.QUEUED


def test_what_is_too_large_for_the_server_fails_the_job_with_its_size(own_server, digits, context):
    own_server.start("--proto-max-bulk-len", "1mb")
    client = connect(own_server.url, retries=2)
    with pytest.raises(TooLargeError, match=r"sent 2\.0 MB: raise its proto-max-bulk-len"):
        client.register_script("return 1")(keys=[], args=[b"x" * 2**21])
    worker = WorkerContext(Settings(redis_url=own_server.url, cache_bytes=0), client)
    paths = [path.name for path in sorted(digits.iterdir())[:40]]
    request = make_quick_request(source=str(digits), image_size=128)
    Registry(client).register("large", request, [paths])
    load_batch(worker, "large", 0, False)
    status = worker.ledger("large").status()
    assert status.state is State.FAILED
    assert status.error
    assert "is sent 2.3 MB" in status.error
    client.close()


def test_a_server_that_restarts_while_it_is_sent_much_is_no_limit(own_server):
    own_server.start()
    client = connect(own_server.url, retries=0)
    client.ping()
    own_server.stop()
    with pytest.raises(ConnectionLostError):
        client.register_script("return 1")(keys=[], args=[b"x" * 2**21])
    own_server.start()
    wait_until(client.ping)
    assert client.register_script("return 1")(keys=[], args=[b"x" * 2**21]) == 1


def test_a_server_that_loads_its_data_for_minutes_is_no_limit(own_server, monkeypatch):
    own_server.start()
    client = connect(own_server.url, retries=0)

    def refuse(*_arguments, **_options):
        raise BusyLoadingError("Redis is loading the dataset in memory")

    monkeypatch.setattr("redis.Redis.execute_command", refuse)
    with pytest.raises(ConnectionLostError, match="loading"):
        client.register_script("return 1")(keys=[], args=[b"x" * 2**21])
