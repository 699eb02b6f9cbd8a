"""What is counted for metrics: once, in the step that commits, and for ever."""

from collections.abc import Callable
from typing import Any

import pytest
from shards import commit_features

from shoal.shared.jobs import State, Wave
from shoal.shared.shards import Shards
from shoal.shared.store import Backlog, Commit, JobShards, Kind, Ledger, Registry
from shoal.shared.store.counts import BATCH_SECONDS, CALLBACK_SECONDS, Counts
from shoal.shared.store.keys import COUNTS

LOADING, LABELLING = Wave.LOADING, Wave.LABELLING
FAILURES = (
    b'[{"position":0,"reason":"damaged","detail":"\\"reason\\":\\"empty\\""},'
    b'{"position":1,"reason":"missing","detail":""},'
    b'{"position":2,"reason":"missing","detail":""}]'
)

Register = Callable[..., Ledger]


def load(ledger: Ledger, batch: int = 0) -> Commit:
    ledger.batches.start(LOADING, batch, redelivered=False)
    values = {ledger.keys.failures: FAILURES}
    return ledger.batches.commit_loading(batch, {}, (1, 3, 1), values, 0.3)


def test_a_batch_counts_once_with_its_images_reasons_and_time(
    register: Register, registry: Registry
) -> None:
    ledger = register()
    assert [load(ledger), load(ledger)] == [Commit.COMMITTED, Commit.DUPLICATE]
    counts = registry.counts()
    assert [counts.number("images", outcome) for outcome in ("loaded", "failed")] == [1, 3]
    reasons = ("damaged", "missing", "empty")
    assert [counts.number("failures", reason) for reason in reasons] == [1, 2, 0]
    assert (counts.number("known"), counts.number("attempts", LOADING, "committed")) == (1, 1)
    times = counts.histogram(BATCH_SECONDS, LOADING)
    assert dict(times.buckets) | {"0.25": 0, "0.5": 1, "+Inf": 1} == dict(times.buckets)
    assert times.seconds == 0.3


def test_a_commit_whose_reply_was_lost_counts_once(
    register: Register, registry: Registry, place: Shards
) -> None:
    ledger = register()
    ledger.batches.start(LOADING, 0, redelivered=False)
    shards = JobShards(registry.client, ledger.job_id, place)
    assert commit_features(shards, ledger, 0, counts=(2, 0)) is Commit.COMMITTED
    names = {Kind.FEATURES: shards.name(Kind.FEATURES, 0) or ""}
    assert ledger.batches.commit_loading(0, names, (2, 0), {}) is Commit.COMMITTED
    assert registry.counts().number("images", "loaded") == 2


def test_nothing_falls_when_a_job_expires(
    redis: Any, register: Register, registry: Registry
) -> None:
    ledger = register()
    load(ledger)
    ledger.cancel()
    before = registry.counts().values
    for key in redis.keys(f"*{ledger.job_id}*"):
        redis.delete(key)
    registry.forget_expired()
    assert registry.counts().values == before
    assert redis.ttl(COUNTS) == -1


def test_jobs_count_when_they_are_submitted_and_when_they_end(
    register: Register, registry: Registry
) -> None:
    cancelled, failed, finished = register(), register(), register(1)
    for _ in range(2):
        cancelled.cancel()
    load(failed)
    assert [failed.fail_wave(LOADING, "why") for _ in range(2)] == [True, False]
    load(finished)
    lease = finished.acquire_lease(LOADING)
    assert lease
    assert finished.advance(lease, State.FINISHED, {}, 700)
    assert not finished.advance(lease, State.FINISHED, {}, 700)
    cancelled.retry()
    counts = registry.counts()
    assert (counts.number("submitted"), counts.number("retried")) == (3, 1)
    assert [counts.number("ended", s) for s in ("finished", "failed", "cancelled")] == [1, 1, 1]
    times = counts.histogram(CALLBACK_SECONDS, State.FITTING)
    assert (dict(times.buckets)["600"], dict(times.buckets)["1800"]) == (0, 1)


def test_attempts_count_by_how_they_end(redis: Any, register: Register, registry: Registry) -> None:
    ledger = register(4)
    for batch in range(4):
        ledger.batches.start(LOADING, batch, redelivered=False)
    ledger.batches.end_attempt(LOADING, 0, "ValueError: odd")
    ledger.batches.end_attempt(LOADING, 1, None)  # Redis was the cause
    ledger.batches.give_back(LOADING, 2)
    redis.zadd(ledger.keys.running(LOADING), {"3": 1})
    assert ledger.batches.take_lost(LOADING) == [0, 2, 3]
    counts = registry.counts()
    outcomes = ("failed", "returned", "lost")
    assert [counts.number("attempts", LOADING, outcome) for outcome in outcomes] == [1, 1, 1]


def test_a_lost_worker_counts_once(redis: Any, registry: Registry) -> None:
    for name in ("one@host", "two@host"):
        registry.note_worker(name)
        redis.zincrby("shoal:workers", -60, name)
    assert sorted(registry.take_lost_workers(15)) == ["one@host", "two@host"]
    assert registry.take_lost_workers(15) == []
    assert registry.counts().number("lost_workers") == 2


@pytest.mark.parametrize("damage", ["type", "field"])
def test_damaged_counts_keep_no_work_from_being_done(
    redis: Any, register: Register, registry: Registry, damage: str
) -> None:
    if damage == "type":
        redis.set(COUNTS, "no hash")
    else:
        names = ("images:loaded", "submitted", "ended:cancelled")
        redis.hset(COUNTS, mapping=dict.fromkeys(names, "no number"))
    ledger = register()
    assert load(ledger) is Commit.COMMITTED
    assert ledger.status().images.loaded == 1
    assert ledger.cancel() is State.CANCELLED


def test_counts_that_cannot_be_read_are_0() -> None:
    assert Counts({b"submitted": b"x"}).number("submitted") == 0


def read_work(registry: Registry) -> tuple[int, ...]:
    backlog = registry.backlog()
    return (
        *(backlog.batches_waiting, backlog.batches_running),
        *(backlog.callbacks_waiting, backlog.callbacks_running),
    )


def test_the_backlog_follows_a_job_through_its_stages(
    redis: Any, register: Register, registry: Registry
) -> None:
    assert registry.backlog() == Backlog(0, 0, 0, 0, 0.0, 0)
    ledger = register(3)
    assert read_work(registry) == (3, 0, 0, 0)
    ledger.batches.start(LOADING, 0, redelivered=False)
    assert read_work(registry) == (2, 1, 0, 0)
    for batch in range(3):
        load(ledger, batch)
    assert read_work(registry) == (0, 0, 1, 0)
    lease = ledger.acquire_lease(LOADING)
    assert lease
    assert read_work(registry) == (0, 0, 0, 1)
    redis.delete(ledger.keys.lease)  # its process was lost
    assert read_work(registry) == (0, 0, 1, 0)
    ledger.advance(lease, State.LABELLING, {})
    ledger.batches.start(LABELLING, 1, redelivered=False)
    assert read_work(registry) == (2, 1, 0, 0)
    assert registry.backlog().work == 3
    ledger.cancel()
    assert registry.backlog().work == 0


def test_a_message_of_a_search_counts_as_a_callback(redis: Any, registry: Registry) -> None:
    redis.lpush("shoal:celery:shoal.callbacks", "message")
    assert read_work(registry) == (0, 0, 1, 0)


def test_an_idle_job_is_one_that_nobody_works_on(
    redis: Any, register: Register, registry: Registry
) -> None:
    ledger, damaged = register(), register()
    redis.delete(damaged.keys.job)
    redis.set(damaged.keys.job, "damaged")
    redis.hset(ledger.keys.job, "active_at", registry.now() - 600)
    assert registry.backlog().idle_seconds >= 600
    ledger.batches.start(LOADING, 0, redelivered=False)
    redis.hset(ledger.keys.job, "active_at", registry.now() - 600)
    assert registry.backlog().idle_seconds == 0
