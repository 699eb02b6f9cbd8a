"""The list of workers: what each says of itself, and what its silence means."""

import os
from socket import gethostname
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state
from click.testing import CliRunner, Result

from shoal import Client
from shoal.producer.cli import workers as command
from shoal.producer.cli.main import main
from shoal.shared.errors import NotFinishedError
from shoal.shared.store import PoolProcess, Registry, Work, WorkerFacts, WorkerStatus
from shoal.shared.tasks import FIT_JOB, LOAD_BATCH
from shoal.worker.runtime.facts import describe_worker

JOB = "0123456789ab"
FACTS = WorkerFacts(
    host="anna",
    pid=7,
    version="1.2.3",
    protocols=(1, 2),
    queues=("shoal.batches",),
    up_seconds=60,
    processes=(PoolProcess(8, 2**20, Work("loading", JOB, 3, 1.5)), PoolProcess(9)),
)


def listed(registry: Registry) -> dict[str, WorkerStatus]:
    return {worker.name: worker for worker in registry.list_workers(10, 15)}


def check(url: str) -> Result:
    return CliRunner().invoke(main, ["worker", "--check"], env={"SHOAL_REDIS_URL": url})


def silence(redis: Any, name: str, seconds: float) -> None:
    for key in ("shoal:workers", "shoal:workers:seen", "shoal:2:workers"):
        redis.zincrby(key, -seconds, name)


def test_a_worker_is_listed_with_what_it_says_of_itself(registry: Registry) -> None:
    registry.note_worker("one@anna", FACTS)
    (worker,) = listed(registry).values()
    assert (worker.name, worker.state, worker.busy) == ("one@anna", "running", 1)
    assert (worker.host, worker.version, worker.processes) == ("anna", "1.2.3", FACTS.processes)
    assert worker.silent_seconds < 10
    registry.forget_worker("one@anna")
    assert listed(registry) == {}
    assert registry.client.get("shoal:worker:one@anna") is None


def test_a_name_that_is_no_text_hides_no_other_worker(redis: Any, registry: Registry) -> None:
    registry.note_worker("one@anna", FACTS)
    for key in ("shoal:workers", "shoal:workers:seen"):
        redis.zadd(key, {b"\xff@anna": registry.now() - 20})
    assert {"one@anna", "\ufffd@anna"} == listed(registry).keys()
    assert registry.take_lost_workers(15) == ["\ufffd@anna"]
    assert registry.workers(15) == ["one@anna"]


def test_silence_makes_a_worker_silent_then_lost_then_unseen(
    redis: Any, registry: Registry
) -> None:
    ages = {"runs@a": 0, "waits@b": 11, "frozen@c": 20, "killed@d": 600, "old@e": 4000}
    for name, age in ages.items():
        registry.note_worker(name, FACTS)
        silence(redis, name, age)
    assert registry.take_lost_workers(15) == ["old@e", "killed@d", "frozen@c"]
    found = listed(registry)
    assert {name: worker.state for name, worker in found.items()} == {
        "runs@a": "running",
        "waits@b": "silent",
        "frozen@c": "lost",
        "killed@d": "lost",
    }
    assert round(found["killed@d"].silent_seconds) == 600
    registry.note_worker("frozen@c", FACTS)  # it goes on
    assert listed(registry)["frozen@c"].state == "running"
    registry.forget_expired()
    assert redis.zcard("shoal:workers:seen") == 4


@pytest.mark.parametrize("raw", [None, b"[]", b'{"pid": "of a later version"}'])
def test_a_worker_of_another_version_is_listed_by_its_name(
    redis: Any, registry: Registry, raw: bytes | None
) -> None:
    registry.note_worker("one@anna")
    if raw:
        redis.set("shoal:worker:one@anna", raw)
    (worker,) = listed(registry).values()
    assert (worker.host, worker.version, worker.processes) == ("anna", "", ())


def test_signs_of_life_go_on_while_redis_is_full(own_server: Any) -> None:
    own_server.start()
    own_server.client.config_set("maxmemory", 1)
    registry = Registry(own_server.client)
    registry.note_worker("one@anna", FACTS)
    assert listed(registry)["one@anna"].busy == 1


def test_a_worker_says_what_each_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [
        SimpleNamespace(name=LOAD_BATCH, args=[JOB, 5], worker_pid=1, time_start=None),
        SimpleNamespace(name=FIT_JOB, args=[JOB], worker_pid=2**30, time_start=1.0),
    ]
    monkeypatch.setattr(state, "active_requests", requests)
    queues = SimpleNamespace(consume_from={"shoal.batches": None})
    worker = SimpleNamespace(
        app=SimpleNamespace(amqp=SimpleNamespace(queues=queues)),
        pool=SimpleNamespace(info={"processes": [2**30, 1, 2**30 + 1]}),
    )
    facts = describe_worker(worker, 12.34)
    loading, fitting, idle = facts.processes
    assert (facts.up_seconds, facts.queues) == (12.3, ("shoal.batches",))
    assert facts.cpu_seconds is None  # one of them has just ended
    assert loading.work == Work("loading", JOB, 5, 0.0)
    assert fitting.work
    assert (fitting.work.stage, fitting.work.batch) == ("fitting", None)
    assert fitting.work.seconds > 1e9
    assert (fitting.memory_bytes, idle.work) == (None, None)
    del worker.pool
    assert describe_worker(worker, 0).processes == ()


def test_a_worker_says_what_its_living_processes_and_its_own_have_taken() -> None:
    queues = SimpleNamespace(consume_from={})
    worker = SimpleNamespace(
        app=SimpleNamespace(amqp=SimpleNamespace(queues=queues)),
        pool=SimpleNamespace(info={"processes": [os.getpid()]}),
    )
    taken = sum(os.times()[:4])
    assert taken > 0.1
    seconds = describe_worker(worker, 0).cpu_seconds
    assert seconds is not None
    assert 2 * taken - 0.1 < seconds


def test_the_command_says_what_each_worker_does_and_why_one_is_silent(
    server_url: str, redis: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(command, "connect_client", lambda: Client(server_url))
    assert command.workers.callback
    with Client(server_url) as client:
        client.registry.note_worker("one@anna", FACTS)
        silence(redis, "one@anna", 31)
        command.workers.callback(as_json=False)
        told = capsys.readouterr()
        client.registry.forget_worker("one@anna")
    first, *processes = told.out.splitlines()
    assert first.startswith(
        "one@anna  lost  1 of 2 busy  Shoal 1.2.3  protocols 1, 2  up 60 s  last sign of life 3"
    )
    assert "it was killed, is frozen, or cannot reach Redis" in first
    assert processes == [
        f"  process 8  loading  job {JOB}  batch 3  for 2 s  1.0 MB",
        "  process 9  idle",
    ]
    assert told.err == "No worker is running: start one with `shoal worker`.\n"


def test_who_asks_for_a_result_is_told_that_nobody_works_on_it(
    server_url: str, register: Any
) -> None:
    job_id = register().job_id
    with Client(server_url) as client:
        with pytest.raises(NotFinishedError, match=r"is queued, .*; no worker is running: start"):
            client.job(job_id).summary()
        client.registry.note_worker("one@anna")
        with pytest.raises(NotFinishedError, match=r"has no result yet \(wait"):
            client.job(job_id).summary()
        client.registry.forget_worker("one@anna")


def test_a_check_finds_the_worker_of_this_host_by_its_heartbeat(
    server_url: str, redis: Any, registry: Registry
) -> None:
    mine = f"one@{gethostname()}"
    registry.note_worker("one@another", FACTS)
    registry.note_worker(f"one@not-{gethostname()}", FACTS)
    assert check(server_url).exit_code == 1
    registry.note_worker(mine)
    found = check(server_url)
    assert (found.exit_code, found.stdout) == (0, f"{mine}\n")
    silence(redis, mine, 16)
    silent = check(server_url)
    assert silent.exit_code == 1
    assert f"No worker on {gethostname()} has given a sign of life for 15 seconds" in silent.stderr


def test_a_check_fails_while_redis_does_not_answer(own_server: Any) -> None:
    assert check(own_server.url).exit_code == 1
