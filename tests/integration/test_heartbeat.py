"""Signs of life, as long as there is life and not longer."""

import faulthandler
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from polling import wait_until

from shoal.shared.errors import ConnectionLostError, StoreFullError
from shoal.shared.jobs import State, Wave
from shoal.shared.store import Ledger
from shoal.worker.runtime.heartbeat import BatchHeartbeat, Heartbeat, LeaseHeartbeat, WorkLostError
from shoal.worker.runtime.watchdog import Watchdog

LOADING = Wave.LOADING


@pytest.fixture
def running(register):
    ledger = register()
    ledger.batches.start(LOADING, 0, redelivered=False)
    return ledger


@pytest.fixture
def brief(register):
    """A ledger of a loaded job whose leases are short."""
    ledger = register(1)
    ledger.batches.start(LOADING, 0, redelivered=False)
    ledger.batches.commit_loading(0, {}, (1, 0), {})
    return Ledger(ledger.client, ledger.job_id, 0.3)


def beaten_at(ledger):
    return ledger.client.zscore(ledger.keys.running(LOADING), 0)


def test_a_batch_gives_signs_of_life_while_one_image_takes_its_time(running):
    begun = beaten_at(running)
    with BatchHeartbeat(running, LOADING, 0):
        wait_until(lambda: beaten_at(running) > begun)


def test_a_batch_that_is_not_wanted_any_more_stops_between_two_images(running):
    with BatchHeartbeat(running, LOADING, 0) as heartbeat:
        heartbeat.checkpoint()
        running.cancel()
        wait_until(heartbeat.lost.is_set)
        with pytest.raises(WorkLostError, match=running.job_id):
            heartbeat.checkpoint()


@pytest.mark.parametrize("error", [ConnectionLostError, StoreFullError, MemoryError, OSError])
def test_signs_of_life_go_on_whatever_one_of_them_met(error):
    replies = iter([error, error, True, False])

    def give():
        if isinstance(reply := next(replies), bool):
            return reply
        raise reply

    with Heartbeat(give, lease_seconds=0.03, work="batch=0") as heartbeat:
        wait_until(heartbeat.lost.is_set)
    assert list(replies) == []


WATCHED = """
import sys, time
from shoal.worker.runtime.watchdog import Watchdog
with Watchdog(1) as watchdog:
    until = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < until:
        watchdog.watch()
print("images done", flush=True)
with Watchdog(0.2):
    sys.stdin.read() if sys.argv[2] == "hang" else None
"""


@pytest.mark.parametrize(("end", "status"), [("hang", 1), ("go on", 0)])
def test_an_image_that_hangs_ends_the_process_and_many_that_do_not_leave_it(end, status):
    command = [sys.executable, "-c", WATCHED, "1.5", end]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.wait(30) == status
        assert process.stdout
        assert process.stdout.read() == b"images done\n"


def test_watching_an_image_costs_next_to_nothing(monkeypatch):
    armed = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda *_, **__: armed.append(1))
    with Watchdog(60) as watchdog:
        for _ in range(1000):
            watchdog.watch()
    assert len(armed) <= 2


def test_a_lease_is_kept_while_its_holder_computes(brief):
    lease = brief.acquire_lease(LOADING)
    with LeaseHeartbeat(brief, lease) as keeper:
        until = time.monotonic() + 3 * brief.lease_seconds
        wait_until(lambda: brief.has_lease() and time.monotonic() > until)
        keeper.checkpoint()
        assert brief.acquire_lease(LOADING) is None


def test_a_lease_runs_out_after_its_holder(brief):
    with LeaseHeartbeat(brief, brief.acquire_lease(LOADING)):
        pass
    wait_until(lambda: not brief.has_lease())


@pytest.mark.parametrize("lose", ["cancel", "take over"])
def test_whoever_lost_the_lease_stops(brief, lose):
    with LeaseHeartbeat(brief, brief.acquire_lease(LOADING)) as keeper:
        if lose == "cancel":
            brief.cancel()
        else:
            brief.client.hset(brief.keys.job, "fence", "another")
        wait_until(keeper.lost.is_set)
        with pytest.raises(WorkLostError, match=brief.job_id):
            keeper.checkpoint()


def test_signs_end_with_the_work_and_their_thread_serves_the_next(brief):
    lease = brief.acquire_lease(LOADING)
    with LeaseHeartbeat(brief, lease) as keeper:
        beating = keeper.beating
        assert beating
        assert not beating.done()
    wait_until(beating.done)
    threads = threading.active_count()
    with LeaseHeartbeat(brief, lease):
        assert threading.active_count() == threads
    assert brief.state() is State.FITTING


STUBBORN = """
import sys, threading
from shoal.shared.redis.connection import connect
from shoal.shared.jobs import Wave
from shoal.shared.store import Ledger
from shoal.worker.runtime.heartbeat import BatchHeartbeat, LeaseHeartbeat
ledger = Ledger(connect(sys.argv[1]), sys.argv[2], 0.3)
heartbeats = {
    "batch": lambda: BatchHeartbeat(ledger, Wave.LOADING, 0),
    "callback": lambda: LeaseHeartbeat(ledger, ledger.acquire_lease(Wave.LOADING)),
}
with heartbeats[sys.argv[3]]():
    print("begun", flush=True)
    sys.stdin.read()
"""


@contextmanager
def stubborn(ledger, url, work):
    """A process that works on a job and does not look up."""
    command = [sys.executable, "-c", STUBBORN, url, ledger.job_id, work]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield process


def test_a_callback_that_goes_on_with_a_cancelled_job_is_ended(brief, server_url):
    with stubborn(brief, server_url, "callback") as process:
        brief.cancel()
        assert process.wait(30) == -signal.SIGKILL


def test_a_batch_that_goes_on_with_a_cancelled_job_is_ended(running, server_url):
    with stubborn(running, server_url, "batch") as process:
        running.cancel()
        assert process.wait(30) == -signal.SIGKILL


def test_who_goes_on_with_what_another_took_over_is_left_to_end(brief, server_url):
    with stubborn(brief, server_url, "callback") as process:
        brief.client.hset(brief.keys.job, "fence", "another")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        process.stdin.close()
        assert process.wait(30) == 0
