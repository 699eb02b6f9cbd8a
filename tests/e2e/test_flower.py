"""Flower, the monitor of Celery, beside workers that send events."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from polling import wait_until
from servers import Server, find_free_port, start_redis
from shoal_command import Shoal
from worker_process import SHOAL_WORKER, Worker

SECONDS = 60
TASKS = {"load_batch": 6, "fit_job": 1, "label_batch": 6, "finish_job": 1}

pytestmark = [pytest.mark.slow]


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Server]:
    server = start_redis(tmp_path)
    yield server
    server.stop()


@contextmanager
def flower(shoal: Shoal) -> Iterator[httpx.Client]:
    """Run Flower on the Redis of ``shoal``; yield what asks it."""
    port = find_free_port()
    command = [sys.executable, "-m", "celery", "-A", "shoal.worker.app", "flower"]
    process = subprocess.Popen(
        [*command, "--address=127.0.0.1", f"--port={port}"],
        env=shoal.environment | {"FLOWER_UNAUTHENTICATED_API": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS) as http:
            wait_until(lambda: answers(http), SECONDS, "Flower")
            yield http
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthcheck").is_success
    except httpx.TransportError:
        return False


def count_succeeded(http: httpx.Client) -> dict[str, int]:
    """Return how many tasks of each name Flower has seen to succeed."""
    names = [t["name"] for t in http.get("/api/tasks").json().values() if t["state"] == "SUCCESS"]
    return {name.removeprefix("shoal."): names.count(name) for name in names}


def test_flower_shows_workers_and_tasks_and_a_revoked_task_is_done_all_the_same(
    own_redis: Server, tmp_path: Path, photographs: Path
) -> None:
    shoal = Shoal(tmp_path / "home", SHOAL_REDIS_URL=own_redis.url)
    with flower(shoal) as http, Worker(shoal, (*SHOAL_WORKER, "--events")) as worker:
        name = f"worker-{worker.process.pid}@{os.uname().nodename}"
        online = {name: True}
        wait_until(
            lambda: http.get("/api/workers?status=true").json() == online, SECONDS, "the worker"
        )
        job = shoal.submit(photographs, "--batch-size", 20)
        http.post(f"/api/task/revoke/{job}:loading:5").raise_for_status()
        shoal.output("wait", job)
        wait_until(lambda: count_succeeded(http) == TASKS, SECONDS, "all tasks in Flower")
        # What Celery's control would do is for whoever can write to Redis: workers obey none of it.
        refused = http.post(f"/api/worker/shutdown/{name}")
        assert refused.status_code == 404
        assert not worker.has_ended()


def test_a_worker_sends_no_events_unless_it_is_asked_to(
    own_redis: Server, tmp_path: Path, photographs: Path
) -> None:
    shoal = Shoal(tmp_path / "home", SHOAL_REDIS_URL=own_redis.url)
    with flower(shoal) as http, Worker(shoal):
        shoal.output("wait", shoal.submit(photographs))
        assert http.get("/api/tasks").json() == {}
        assert http.get("/api/workers?status=true").json() == {}
