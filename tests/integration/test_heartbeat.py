"""Signs of life, as long as there is life and not longer."""

import threading
import time

import pytest
from servers import wait_until

from shared.jobs import Stage, State
from shared.store import Ledger
from worker import heartbeat as heartbeats
from worker.heartbeat import BatchHeartbeat, LeaseKeeper, WorkLostError

LOADING = Stage.LOADING


@pytest.fixture
def running(register):
    ledger = register()
    ledger.start_batch(LOADING, 0, redelivered=False)
    return ledger


@pytest.fixture
def brief(register):
    """A ledger of a loaded job whose leases are short."""
    ledger = register(1)
    ledger.start_batch(LOADING, 0, redelivered=False)
    ledger.commit_loading(0, b"", (1, 0), {})
    return Ledger(ledger.client, ledger.job_id, 0.3)


def beaten_at(ledger):
    return ledger.client.zscore(ledger.keys.running(LOADING), 0)


def test_a_batch_gives_a_sign_of_life_when_one_is_due(running, monkeypatch):
    with BatchHeartbeat(running, LOADING, 0, image_seconds=60) as heartbeat:
        begun = beaten_at(running)
        heartbeat.beat()
        assert beaten_at(running) == begun
        monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 0)
        heartbeat.beat()
        assert beaten_at(running) > begun


def test_a_batch_that_is_not_wanted_any_more_stops(running, monkeypatch):
    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 0)
    with BatchHeartbeat(running, LOADING, 0, image_seconds=60) as heartbeat:
        running.cancel()
        with pytest.raises(WorkLostError, match=running.job_id):
            heartbeat.beat()


def test_a_lease_is_kept_while_its_holder_computes(brief):
    lease = brief.acquire_lease(LOADING)
    with LeaseKeeper(brief, lease) as keeper:
        until = time.monotonic() + 3 * brief.lease_seconds
        wait_until(lambda: brief.has_lease() and time.monotonic() > until)
        keeper.check()
        assert brief.acquire_lease(LOADING) is None


def test_a_lease_runs_out_after_its_holder(brief):
    with LeaseKeeper(brief, brief.acquire_lease(LOADING)):
        pass
    wait_until(lambda: not brief.has_lease())


@pytest.mark.parametrize("lose", ["cancel", "take over"])
def test_whoever_lost_the_lease_stops(brief, lose):
    with LeaseKeeper(brief, brief.acquire_lease(LOADING)) as keeper:
        if lose == "cancel":
            brief.cancel()
        else:
            brief.client.hincrby(brief.keys.job, "fence", 1)
        wait_until(keeper.lost.is_set)
        with pytest.raises(WorkLostError, match=brief.job_id):
            keeper.check()


def test_no_thread_stays_behind(brief):
    with LeaseKeeper(brief, brief.acquire_lease(LOADING)) as keeper:
        assert keeper.thread in threading.enumerate()
    wait_until(lambda: not keeper.thread.is_alive())
    assert brief.state() is State.FITTING
