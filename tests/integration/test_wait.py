"""Waiting for a job: every end is told, and a Redis that is away is waited for."""

import threading

import pytest
from polling import wait_until
from servers import open_redis

from shoal import Client
from shoal.producer.job import Job, choose_pause
from shoal.shared.errors import (
    JobCancelledError,
    JobFailedError,
    NotFinishedError,
    UnknownJobError,
    UsageError,
    WaitTimeoutError,
)
from shoal.shared.jobs import State, Wave
from shoal.shared.settings import Settings


@pytest.fixture
def job(register, context):
    return Job(register(), context.sweeper)


def end(job, state, **fields):
    """Make a job end, as a callback does."""
    for batch in range(2):
        job.ledger.batches.start(Wave.LOADING, batch, redelivered=False)
        job.ledger.batches.commit_loading(batch, {}, (1, 0), {})
    assert job.ledger.advance(job.ledger.acquire_lease(Wave.LOADING), state, fields)


def test_waiting_for_a_finished_job_returns_its_status(job):
    end(job, State.FINISHED)
    assert job.wait(timeout_seconds=30).state is State.FINISHED


def test_waiting_for_a_failed_job_raises_its_own_error(job):
    end(job, State.FAILED, error="No image could be read.")
    with pytest.raises(JobFailedError, match=r"^No image could be read\.$"):
        job.wait()


def test_waiting_for_a_cancelled_job_says_so(job):
    job.cancel()
    with pytest.raises(JobCancelledError, match=job.id):
        job.wait()


@pytest.mark.parametrize("seconds", [0, 0.3])
def test_waiting_ends_in_time_and_the_job_goes_on(job, seconds):
    with pytest.raises(WaitTimeoutError, match=f"{seconds} s"):
        job.wait(timeout_seconds=seconds)
    assert job.status().state is State.QUEUED


def test_waiting_for_an_unknown_job_does_not_wait(context):
    with pytest.raises(UnknownJobError):
        Job(context.ledger("nosuch"), context.sweeper).wait()


def test_whoever_watches_sees_each_status(job):
    seen = []

    def on_status(status):
        seen.append(status.state)
        if len(seen) == 2:
            end(job, State.FINISHED)

    job.wait(timeout_seconds=30, on_status=on_status)
    assert seen == [State.QUEUED, State.QUEUED, State.FINISHED]


def test_results_are_refused_before_the_end_with_what_to_do(job):
    for read in (job.labels, job.summary, job.plots, job.model, lambda: job.plot("scatter")):
        with pytest.raises(NotFinishedError, match=rf"client\.job\('{job.id}'\)\.wait\(\)"):
            read()
    assert list(job.failures()) == []


def test_results_of_a_failed_job_raise_its_error(job):
    end(job, State.FAILED, error="why")
    with pytest.raises(JobFailedError, match="why"):
        job.labels()


def test_a_plot_that_does_not_exist_names_those_that_do(job):
    with pytest.raises(UsageError, match="scatter, contact-sheet"):
        job.plot("pie")


def wait_in_background(job):
    """Wait for the job in a thread; return the thread, what was seen, and what came of it."""
    seen: list[object] = []
    outcome: list[object] = []

    def wait():
        try:
            outcome.append(job.wait(timeout_seconds=60, on_status=seen.append).state)
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread, seen, outcome


def test_waiting_survives_a_server_that_is_away_for_a_while(own_server, tmp_path):
    own_server.start()
    (tmp_path / "a.png").touch()
    with Client(own_server.url, settings=Settings()) as shoal:
        job = shoal.submit(tmp_path, clusters=1)
        thread, seen, outcome = wait_in_background(job)
        wait_until(lambda: seen)
        own_server.stop()
        wait_until(lambda: None in seen)
        own_server.start()
        shoal.job(job.id).ledger.cancel()
        thread.join(30)
    assert isinstance(outcome[0], JobCancelledError)


def test_waiting_survives_a_server_that_is_lost_between_looking_and_sending(
    own_server, tmp_path, monkeypatch
):
    own_server.start()
    (tmp_path / "a.png").touch()
    with Client(own_server.url, settings=Settings()) as shoal:
        job = shoal.submit(tmp_path, clusters=1)
        monkeypatch.setattr(
            job.sweeper, "sweep", lambda: shoal.messages.send_callback(job.id, Wave.LOADING)
        )
        own_server.stop()
        job._sweep()
        assert job._look() is None


def test_a_job_whose_messages_could_not_be_sent_is_there_all_the_same(
    own_server, tmp_path, monkeypatch
):
    own_server.start()
    (tmp_path / "a.png").touch()
    with Client(own_server.url, settings=Settings()) as shoal:
        register = shoal.registry.register

        def register_and_lose(*arguments):
            register(*arguments)
            own_server.stop()

        monkeypatch.setattr(shoal.registry, "register", register_and_lose)
        job = shoal.submit(tmp_path, clusters=1)
        own_server.start()
        assert job.status().state is State.QUEUED
        client = open_redis(own_server.url)
        client.hincrbyfloat(job.ledger.keys.job, "active_at", -60)
        job.sweeper.sweep()
        assert shoal.registry.waiting(["shoal.2.batches"]) == 1


def test_a_job_that_has_just_begun_is_looked_at_more_often():
    pauses = [choose_pause(waited) for waited in (0, 2, 5, 600)]
    assert pauses == [0.02, 0.04, 0.1, 0.2]
