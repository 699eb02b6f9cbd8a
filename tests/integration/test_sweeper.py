"""The sweeper: what was lost is sent again, and what only waits is left alone."""

import logging

import pytest
from polling import wait_until

from shoal.shared import sweeper as sweeping
from shoal.shared.jobs import JobRequest, State, Wave
from shoal.shared.store import Kind, Ledger, Lifetimes
from shoal.shared.store.keys import active

pytestmark = pytest.mark.each_server

LOADING, LABELLING = Wave.LOADING, Wave.LABELLING
LONG = sweeping.PATIENCE_SECONDS + 1


@pytest.fixture
def sweep(context):
    """Looks after one job."""
    return lambda ledger: context.sweeper.sweep_job(ledger.job_id)


def age(ledger, seconds=sweeping.QUIET_SECONDS + 1):
    """Make the job's last heartbeat as old as this."""
    ledger.client.hincrbyfloat(ledger.keys.job, "active_at", -seconds)


def forget_claims(redis):
    """Let the time pass in which nothing is sent twice."""
    for key in redis.keys("shoal:claim:*"):
        redis.delete(key)


def start(ledger, *batches, wave=LOADING):
    for batch in batches:
        ledger.batches.start(wave, batch, redelivered=False)


def finish(ledger, *batches, wave=LOADING):
    for batch in batches:
        start(ledger, batch, wave=wave)
        if wave is LOADING:
            ledger.batches.commit_loading(batch, {}, (1, 0), {})
        else:
            ledger.batches.commit_labelling(batch, b"")


def lose(ledger, batch, wave=LOADING):
    """Make a batch's last heartbeat older than its lease."""
    ledger.client.zincrby(ledger.keys.running(wave), -20, batch)


def sabotage(ledger, way):
    """Make a job one that cannot be checked."""
    if way == "state":
        ledger.client.hset(ledger.keys.job, "state", "of another version")
    elif way == "type":
        start(ledger, 0)
        ledger.client.set(ledger.keys.running(LOADING), "of another version")
    else:
        ledger.client.delete(ledger.keys.job)
        ledger.client.hset(ledger.keys.job, "state", "loading")


def enter_labelling(ledger):
    finish(ledger, 0, 1)
    ledger.advance(ledger.acquire_lease(LOADING), State.LABELLING, {})


def test_a_job_whose_messages_never_left_is_sent(register, sweep, queued):
    ledger = register(3)
    age(ledger)
    sweep(ledger)
    assert queued() == (3, 0)


def test_one_sweep_sends_all_jobs_whose_messages_are_gone(register, context, queued):
    for ledger in (register(3), register(2)):
        age(ledger)
    context.sweeper.sweep()
    assert queued() == (5, 0)


def test_nothing_is_sent_while_the_job_was_active_a_moment_ago(register, sweep, queued):
    ledger = register(3)
    sweep(ledger)
    finish(ledger, 0)
    sweep(ledger)
    assert queued() == (0, 0)


def test_nothing_is_sent_while_a_batch_runs(register, sweep, queued):
    ledger = register(3)
    start(ledger, 1)
    age(ledger)
    sweep(ledger)
    assert queued() == (0, 0)


@pytest.mark.parametrize("wave", Wave)
def test_a_lost_batch_is_sent_again_once_and_alone(register, sweep, queued, caplog, wave):
    ledger = register(2)
    if wave is LABELLING:
        enter_labelling(ledger)
    start(ledger, 0, 1, wave=wave)
    lose(ledger, 1, wave)
    sweep(ledger)
    assert queued() == (1, 0)
    sweep(ledger)
    assert queued() == (1, 0)
    assert "chord_broken" in ledger.fields()
    # A warning would show among the progress of whoever waits for the job.
    assert all(record.levelno < logging.WARNING for record in caplog.records)


def test_missing_batches_are_sent_without_those_that_are_done(redis, register, sweep, queued):
    ledger = register(3)
    finish(ledger, 1)
    age(ledger)
    sweep(ledger)
    assert queued() == (2, 0)
    assert b"[%d]" % 1 not in b"".join(redis.lrange("shoal:celery:shoal.2.batches", 0, -1))


def test_missing_batches_of_the_second_stage_are_sent(register, sweep, queued):
    ledger = register(2)
    enter_labelling(ledger)
    age(ledger)
    sweep(ledger)
    assert queued() == (2, 0)


def test_messages_that_wait_in_the_queue_are_not_doubled(redis, register, sweep, queued):
    ledger = register(2)
    age(ledger)
    sweep(ledger)
    forget_claims(redis)
    sweep(ledger)
    assert queued() == (2, 0)


def test_messages_that_wait_very_long_are_sent_again_ever_less_often(
    redis, register, sweep, queued
):
    ledger = register(2)
    age(ledger)
    sweep(ledger)
    forget_claims(redis)
    age(ledger, LONG)
    sweep(ledger)
    sweep(ledger)
    assert queued() == (4, 0)
    (claim,) = redis.keys(f"shoal:claim:{ledger.job_id}:*:waiting")
    assert redis.pttl(claim) > sweeping.PATIENCE_SECONDS * 1000


def test_a_wave_that_has_moved_since_does_not_wait_for_what_was_sent_before(
    redis, register, sweep, queued
):
    ledger = register(2)
    age(ledger, LONG)
    sweep(ledger)
    age(ledger, 100 * LONG)
    sweep(ledger)
    redis.delete("shoal:celery:shoal.2.batches")
    enter_labelling(ledger)
    age(ledger)
    sweep(ledger)
    assert queued() == (2, 0)


def test_an_empty_queue_is_filled_within_seconds_however_long_nobody_worked(
    redis, register, sweep, queued
):
    ledger = register(2)
    age(ledger, 100 * LONG)
    sweep(ledger)
    sweep(ledger)
    redis.delete("shoal:celery:shoal.2.batches")
    (claim,) = redis.keys(f"shoal:claim:{ledger.job_id}:*:drained")
    assert redis.pttl(claim) <= 1000 * 2 * sweeping.QUIET_SECONDS
    redis.delete(claim)
    sweep(ledger)
    assert queued() == (2, 0)


HOUR = 3600


def test_a_clock_that_was_set_back_stops_no_sweep(redis, context, register, queued):
    ledger = register(2)
    redis.set("shoal:claim:sweep", 1, ex=HOUR)
    redis.hincrbyfloat(ledger.keys.job, "active_at", HOUR)
    assert not context.sweeper.registry.claim("sweep", 0.01)
    wait_until(lambda: (context.sweeper.sweep(), queued() == (2, 0))[1])


@pytest.mark.parametrize("stage", ["loading", "fitting"])
def test_what_was_lost_before_the_clock_was_set_back_is_found(redis, register, stage, context):
    ledger = Ledger(redis, register(2).job_id, 0.5)
    if stage == "loading":
        start(ledger, 0, 1)
        redis.zincrby(ledger.keys.running(LOADING), HOUR, "0")
        lost: list[int] = []

        def take():
            lost.extend(ledger.batches.take_lost(LOADING))
            return sorted(lost)

        wait_until(lambda: take() == [0, 1])
    else:
        finish(ledger, 0, 1)
        ledger.acquire_lease(LOADING)
        redis.pexpire(ledger.keys.lease, 1000 * HOUR)
        wait_until(lambda: not ledger.has_lease())


def test_workers_and_times_of_a_clock_that_was_set_back_mislead_nobody(redis, register, context):
    ledger = register(2)
    finish(ledger, 0)
    redis.hincrbyfloat(ledger.keys.job, "started_at", HOUR)
    assert ledger.status().eta_seconds == 0
    registry = context.sweeper.registry
    registry.note_worker("dead@host")
    redis.zincrby("shoal:workers", HOUR, "dead@host")
    assert registry.workers(within_seconds=30) == []


def test_one_sweep_sends_a_limited_number(register, sweep, queued, monkeypatch):
    monkeypatch.setattr(sweeping, "MOST_MESSAGES", 3)
    ledger = register(5)
    age(ledger)
    sweep(ledger)
    assert queued() == (3, 0)


@pytest.mark.parametrize("wave", Wave)
def test_a_complete_stage_without_callback_gets_one(redis, register, sweep, queued, wave):
    ledger = register(2)
    if wave is LABELLING:
        enter_labelling(ledger)
    finish(ledger, 0, 1, wave=wave)
    sweep(ledger)
    assert queued() == (0, 0)
    age(ledger)
    sweep(ledger)
    sweep(ledger)
    assert queued() == (0, 1)
    forget_claims(redis)
    sweep(ledger)
    assert queued() == (0, 2)


@pytest.mark.parametrize("wave", Wave)
def test_an_expired_lease_gets_its_callback_again(redis, register, sweep, queued, wave):
    ledger = register(2)
    if wave is LABELLING:
        enter_labelling(ledger)
    finish(ledger, 0, 1, wave=wave)
    ledger.acquire_lease(wave)
    sweep(ledger)
    assert queued() == (0, 0)
    redis.delete(ledger.keys.lease)
    sweep(ledger)
    sweep(ledger)
    assert queued() == (0, 1)


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
def test_an_ended_job_gets_its_time_to_live_and_is_left(redis, register, sweep, state):
    ledger = register(2)
    start(ledger, 0)
    finish(ledger, 1)
    redis.hset(ledger.keys.job, "state", state)
    sweep(ledger)
    keys = redis.keys(f"shoal:{{{ledger.job_id}}}*")
    assert len(keys) >= 5
    assert all(redis.ttl(key) > 0 for key in keys)
    assert redis.zcard(active()) == 0


def test_a_jobs_own_lifetimes_go_before_those_of_whoever_ends_it(redis, registry, context):
    lifetimes = Lifetimes(features_seconds=50, results_seconds=500)
    registry.register("kept", JobRequest(source="/"), [["a.png"]], lifetimes)
    ledger = Ledger(redis, "kept", 15)
    finish(ledger, 0)
    redis.hset(ledger.keys.shards(Kind.FEATURES), "0", "name")
    ledger.cancel()
    context.sweeper.sweep_job("kept")
    assert 0 < redis.ttl(ledger.keys.shards(Kind.FEATURES)) <= 50
    assert 50 < redis.ttl(ledger.keys.job) <= 500
    assert ledger.status().expires_at == pytest.approx(registry.now() + 500, abs=5)


def test_an_unknown_job_is_not_looked_after_any_more(redis, registry, context):
    redis.zadd(active(), {"gone": 1})
    context.sweeper.sweep()
    assert registry.active_jobs() == []


def test_a_sweep_looks_after_every_job_and_one_process_sweeps_at_a_time(
    redis, register, context, queued
):
    for expected in ((2, 0), (2, 0)):
        for ledger in (register(), register()):
            start(ledger, 0)
            lose(ledger, 0)
        context.sweeper.sweep()
        assert queued() == expected
    forget_claims(redis)
    context.sweeper.sweep()
    assert queued() == (4, 0)


def test_nothing_is_sent_while_nothing_is_lost(register, context, queued):
    register()
    context.sweeper.sweep()
    assert queued() == (0, 0)


@pytest.mark.parametrize("way", ["state", "type", "half gone"])
def test_a_damaged_job_does_not_keep_the_others_waiting(
    redis, register, context, queued, caplog, way
):
    damaged, sound = register(2), register(3)
    sabotage(damaged, way)
    age(sound)
    context.sweeper.sweep()
    assert queued() == (3, 0)
    forget_claims(redis)
    context.sweeper.sweep()
    assert caplog.text.count("job cannot be checked") == 1
