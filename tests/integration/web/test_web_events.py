"""Events: a job is followed to its end, through a Redis that is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from polling import wait_until
from servers import Server
from stream_listener import Listener
from web_server import WebServer

from shoal.producer.job import Job
from shoal.shared.jobs import State


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abcd":
        (tmp_path / f"{name}.png").touch()
    return tmp_path


@contextmanager
def submitted(web: WebServer, folder: Path) -> Iterator[Job]:
    job = web.client.submit(folder, clusters=2)
    yield job
    job.cancel()


def test_a_job_is_followed_to_its_end_and_then_the_stream_closes(
    web: WebServer, folder: Path
) -> None:
    with submitted(web, folder) as job:
        stream, jobs = Listener(web, f"/jobs/{job.id}/events"), Listener(web, "/events")
        wait_until(lambda: stream.events and jobs.events)
        job.cancel()
        wait_until(stream.has_ended)
    states = [event[1]["state"] for event in stream.events]
    assert (states[0], states[-1]) == (State.QUEUED, State.CANCELLED)
    wait_until(lambda: jobs.events[-1][1][0]["state"] == State.CANCELLED)
    assert not jobs.has_ended()


def test_an_ended_job_is_told_once(web: WebServer, finished: Job) -> None:
    stream = Listener(web, f"/jobs/{finished.id}/events")
    wait_until(stream.has_ended)
    assert [(name, status["state"]) for name, status in stream.events] == [("status", "finished")]


def test_a_job_that_is_not_there_has_no_stream(web: WebServer) -> None:
    assert web.http.get("/api/v1/jobs/0123456789ab/events").status_code == 404


def test_a_stream_survives_a_redis_that_is_away(own_server: Server, folder: Path) -> None:
    own_server.start()
    with WebServer(own_server.url) as web, submitted(web, folder) as job:
        stream = Listener(web, f"/jobs/{job.id}/events")
        wait_until(lambda: stream.names() == ["status"])
        own_server.stop()
        wait_until(lambda: "away" in stream.names())
        assert web.http.get("/readyz").status_code == 503
        own_server.start()
        wait_until(lambda: stream.names()[-1] == "status")
        job.cancel()
        wait_until(stream.has_ended)
    assert stream.events[-1][1]["state"] == State.CANCELLED
