"""A Redis that refuses or is silent for a while: the page says so, and goes on by itself."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from polling import wait_until
from servers import Server
from stream_listener import Listener
from web_server import WebServer

from shoal.producer.web.server import REPLY_SECONDS

PATHS = ("/", "/api/v1/jobs", "/metrics", "/readyz")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abcd":
        (tmp_path / f"{name}.png").touch()
    return tmp_path


@pytest.fixture
def page(own_server: Server) -> Iterator[WebServer]:
    """A page with a Redis that the test may harm."""
    own_server.start()
    with WebServer(own_server.url) as page:
        yield page


def test_a_full_redis_is_told_with_its_remedy_and_when_to_try_again(
    own_server: Server, page: WebServer, folder: Path
) -> None:
    asked = {"source": str(folder), "clusters": 2}
    job = page.http.post("/api/v1/jobs", json=asked).json()["job_id"]
    page.http.post(f"/api/v1/jobs/{job}/cancel")
    own_server.client.config_set("maxmemory", 1)
    refused = page.http.post(f"/api/v1/jobs/{job}/retry", json={})
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert "raise its maxmemory" in refused.json()["error"]
    own_server.client.config_set("maxmemory", 0)
    assert page.http.post(f"/api/v1/jobs/{job}/retry", json={}).status_code == 200


def test_a_silent_redis_is_told_within_seconds(
    own_server: Server, page: WebServer, folder: Path
) -> None:
    job = page.client.submit(folder, clusters=2)
    stream = Listener(page, f"/jobs/{job.id}/events")
    wait_until(lambda: stream.names() == ["status"])
    assert own_server.process
    os.kill(own_server.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with ThreadPoolExecutor(len(PATHS)) as pool:
            answers = list(pool.map(partial(page.http.get, timeout=60), PATHS))
        assert time.monotonic() - began < 2 * REPLY_SECONDS
        told = [(answer.status_code, "retry-after" in answer.headers) for answer in answers]
        assert told == [(503, True)] * len(PATHS)
        began = time.monotonic()
        assert page.http.get("/healthz").status_code == 200
        assert time.monotonic() - began < REPLY_SECONDS
        wait_until(lambda: stream.names()[-1] == "away")
    finally:
        os.kill(own_server.process.pid, signal.SIGCONT)
    wait_until(lambda: stream.names()[-1] == "status")
    assert page.http.get("/").status_code == 200
    job.cancel()
    wait_until(stream.has_ended)


def test_a_server_whose_requests_all_wait_for_redis_still_says_that_it_is_up(
    own_server: Server, page: WebServer
) -> None:
    """More requests than threads: those that need none are answered meanwhile."""
    page.http.get("/readyz")
    assert own_server.process
    os.kill(own_server.process.pid, signal.SIGSTOP)
    try:
        streams = [Listener(page, "/events") for _ in range(50)]
        began = time.monotonic()
        while time.monotonic() - began < REPLY_SECONDS / 2:
            assert page.http.get("/healthz", timeout=REPLY_SECONDS / 2).status_code == 200
        assert page.http.get("/static/page.js", timeout=REPLY_SECONDS / 2).status_code == 200
    finally:
        os.kill(own_server.process.pid, signal.SIGCONT)
    wait_until(lambda: all(stream.events for stream in streams))
