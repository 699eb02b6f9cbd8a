"""Jobs of other protocols: of those before there were numbers, and of versions yet to come."""

import json
import logging
from typing import Any

import pytest
from web_server import WebServer

from shoal import Client, VersionError
from shoal.shared.jobs import Wave
from shoal.shared.messaging.messages import Messages
from shoal.shared.settings import Settings
from shoal.shared.store import Expiry, Ledger, Lifetimes, OutdatedPlots, Registry
from shoal.shared.store.keys import CELERY, active, outdated, queue_keys, stored, workers
from shoal.shared.store.protocols import mark
from shoal.shared.sweeper import Sweeper
from shoal.shared.tasks import CALLBACKS, FIRST, KNOWN, PROTOCOL, QUEUES
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.loading.loading import load_batch

NEWER = PROTOCOL + 1
EARLY_KEYS = ("shoal:active", "shoal:outdated", "shoal:shards")


def make_early(ledger: Ledger) -> Ledger:
    """Let a job look as if it had been submitted before there were protocols."""
    redis, job = ledger.client, ledger.keys.job
    redis.hset(job, "request", redis.hget(job, "job_request") or b"")
    for name in ("job_request", "protocol", "version"):
        redis.hdel(job, name)
    redis.zrem(active(), ledger.job_id)
    redis.zadd(active(FIRST), {ledger.job_id: 1})
    return ledger


def make_newer(redis: Any, job_id: str) -> None:
    """Let a job look as if a later version had submitted it."""
    redis.hset(f"shoal:{{{job_id}}}:job", mapping={"protocol": NEWER, "version": "9.1"})
    redis.zrem(active(), job_id)
    redis.zadd(active(NEWER), {job_id: 1})


def read_messages(redis: Any, queue: str) -> list[dict[str, Any]]:
    return [json.loads(raw) for key in queue_keys(queue) for raw in redis.lrange(key, 0, -1)]


def make_sweeper(redis: Any) -> Sweeper:
    return Sweeper(Registry(redis), Settings(sweep_seconds=0.01), Messages(redis))


def test_a_new_job_is_in_nothing_that_earlier_programs_act_on(redis: Any, register: Any) -> None:
    ledger = register(1)
    assert redis.zscore(active(), ledger.job_id)
    assert not redis.exists(*EARLY_KEYS)
    fields = redis.hgetall(ledger.keys.job)
    # Without one, an earlier program says that a job is of another version.
    assert b"request" not in fields
    assert fields[b"protocol"] == b"%d" % PROTOCOL
    assert ledger.status().protocol == PROTOCOL


def test_what_a_new_job_leaves_is_in_nothing_that_earlier_programs_delete(
    redis: Any, register: Any
) -> None:
    ledger = register(1)
    redis.hset(ledger.keys.job, "place", "there")
    ledger.cancel()
    Expiry(redis, ledger.job_id).begin(Lifetimes(10, 10))
    assert redis.zscore(stored(), f"there/{ledger.job_id}")
    assert not redis.exists(*EARLY_KEYS)


def test_an_earlier_program_finds_no_new_job_by_its_images(registry: Registry) -> None:
    assert mark("digest", FIRST) == "digest"
    assert mark("digest", PROTOCOL) not in {"digest", ""}
    assert mark("", PROTOCOL) == ""


def test_an_early_job_is_found_by_its_images_and_read(redis: Any, register: Any) -> None:
    early, late = make_early(register(1)), register(1)
    redis.hset(early.keys.job, "fingerprint", "digest")
    redis.hset(late.keys.job, "fingerprint", mark("digest", PROTOCOL))
    make_newer(redis, newer := register(1).job_id)
    redis.hset(f"shoal:{{{newer}}}:job", "fingerprint", mark("digest", NEWER))
    assert set(Registry(redis).find("digest")) == {early.job_id, late.job_id}
    status = early.status()
    assert (status.protocol, status.version) == (FIRST, "")
    assert status.request == late.request == early.request


@pytest.mark.parametrize("protocol", KNOWN)
def test_lost_messages_are_sent_again_to_the_queues_of_their_jobs(
    redis: Any, register: Any, protocol: int
) -> None:
    ledger = register(2)
    if protocol == FIRST:
        make_early(ledger)
    redis.hset(ledger.keys.job, "active_at", 1)
    make_sweeper(redis).sweep()
    sent = read_messages(redis, QUEUES["batches"][protocol])
    assert [message["headers"]["shoal_protocol"] for message in sent] == [protocol] * 2
    (other,) = set(KNOWN) - {protocol}
    assert not redis.exists(*queue_keys(QUEUES["batches"][other]))


@pytest.mark.parametrize("number", ["99", "-1", "", "two", "9" * 5000])
def test_a_number_that_is_damaged_keeps_no_other_job_waiting(
    redis: Any, register: Any, number: str
) -> None:
    damaged, whole = register(2), register(2)
    for place, ledger in enumerate((damaged, whole)):
        redis.hset(ledger.keys.job, "active_at", 1)
        redis.zadd(active(), {ledger.job_id: place})
    redis.sadd(outdated(), damaged.job_id)
    redis.hset(damaged.keys.job, "protocol", number)
    make_sweeper(redis).sweep()
    sent = read_messages(redis, QUEUES["batches"][PROTOCOL])
    assert {m["headers"]["id"].partition(":")[0] for m in sent} >= {whole.job_id}


def test_an_early_job_that_has_ended_leaves_its_list(redis: Any, register: Any) -> None:
    ledger = make_early(register(1))
    ledger.cancel()
    make_sweeper(redis).sweep()
    assert not redis.zcard(active(FIRST))


def test_an_early_job_that_is_retried_is_again_where_it_was(redis: Any, register: Any) -> None:
    ledger = make_early(register(1))
    ledger.cancel()
    make_sweeper(redis).sweep()
    ledger.retry()
    assert redis.zscore(active(FIRST), ledger.job_id)
    assert redis.zscore(active(), ledger.job_id) is None


def test_plots_are_asked_for_in_the_lists_and_queues_of_their_jobs(
    redis: Any, register: Any
) -> None:
    ledger = make_early(register(1))
    redis.sadd(outdated(FIRST), ledger.job_id)
    assert OutdatedPlots(redis, ledger.job_id).are_outdated()
    make_sweeper(redis).sweep()
    assert read_messages(redis, QUEUES["callbacks"][FIRST])
    assert not read_messages(redis, CALLBACKS)


def test_a_job_of_a_newer_version_is_told_as_such_and_hides_no_other(
    redis: Any, python_client: Client, register: Any, caplog: Any
) -> None:
    whole, newer = register(1).job_id, register(1).job_id
    make_newer(redis, newer)
    with caplog.at_level(logging.WARNING):
        assert [status.job_id for status in python_client.jobs()] == [whole]
    assert f"Left out job {newer}" in caplog.text
    job = python_client.job(newer)
    calls = (job.status, job.wait, job.cancel, job.retry, job.labels, lambda: job.ledger.request)
    for call in calls:
        with pytest.raises(VersionError, match=rf"is of Shoal 9\.1 \(protocol {NEWER}\), and this"):
            call()


def test_a_job_of_a_newer_version_is_neither_begun_nor_swept(
    redis: Any, context: WorkerContext, register: Any
) -> None:
    ledger = register(1)
    make_newer(redis, ledger.job_id)
    redis.hset(ledger.keys.job, "active_at", 1)
    before = redis.hgetall(ledger.keys.job)
    make_sweeper(redis).sweep()
    load_batch(context, ledger.job_id, 0, False)
    assert ledger.batches.start(Wave.LOADING, 0, True) is None
    redis.hset(ledger.keys.job, "loading_done", 1)
    assert ledger.acquire_lease(Wave.LOADING) is None
    redis.hdel(ledger.keys.job, "loading_done")
    assert redis.hgetall(ledger.keys.job) == before
    assert not redis.keys(f"{CELERY}*")
    assert redis.zscore(active(NEWER), ledger.job_id)


def test_only_workers_of_a_jobs_protocol_count_for_it(
    redis: Any, python_client: Client, register: Any
) -> None:
    ledger = register(1)
    running = python_client.workers
    assert running.describe_lack(ledger.status()) == "no worker is running"
    # As an earlier worker does.
    redis.zadd("shoal:workers", {"early@anna": Registry(redis).now()})
    assert running.are_running(FIRST)
    assert not running.are_running()
    lack = running.describe_lack(ledger.status())
    assert lack.startswith("no worker is running that takes jobs of Shoal ")
    assert lack.endswith(f"(protocol {PROTOCOL})")
    assert (sign := running.look(ledger.status())).lack == lack
    assert not sign.running
    assert running.describe_lack(make_early(ledger).status()) == ""
    Registry(redis).note_worker("new@anna")
    assert running.describe_lack() == ""
    Registry(redis).forget_worker("new@anna")
    assert not redis.exists(workers(PROTOCOL))


def test_the_page_says_what_a_job_waits_for_and_names_a_newer_one(
    redis: Any, server_url: str, register: Any
) -> None:
    whole, newer = register(1).job_id, register(1).job_id
    make_newer(redis, newer)
    redis.zadd("shoal:workers", {"early@anna": Registry(redis).now()})
    with WebServer(server_url) as web:
        listed = web.http.get("/", headers={"accept": "text/html"})
        assert listed.status_code == 200
        assert whole in listed.text
        assert newer not in listed.text
        for address in ("/", f"/jobs/{whole}"):
            shown = web.http.get(address).text
            assert f"(protocol {PROTOCOL})" in shown
            assert "No worker is running that takes jobs of Shoal" in shown
        refused = web.http.get(f"/api/v1/jobs/{newer}")
        assert refused.status_code == 409
        assert "is of Shoal 9.1 (protocol 3)" in refused.json()["error"]
