"""Retry, submitting again and admission, as a user meets them."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from polling import wait_until
from servers import Server, start_redis
from shoal_command import FinishedRun, Shoal
from worker_process import Worker, suspended

from shoal import Client
from shoal.shared.jobs import State
from shoal.shared.settings import Settings
from shoal.shared.store import Ledger
from shoal.shared.store.keys import CLAIMS, COUNTS, JOBS, SEEN_WORKERS, WORKER, WORKERS, workers
from shoal.shared.tasks import PROTOCOL

LEASE_SECONDS = 3
INTERRUPTED = 128 + signal.SIGINT
BRIEF = {
    "SHOAL_FEATURES_SECONDS": 1,
    "SHOAL_RESULTS_SECONDS": 20,
    "SHOAL_SWEEP_SECONDS": 1,
    "SHOAL_LEASE_SECONDS": LEASE_SECONDS,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_redis(tmp_path_factory.mktemp("verbs"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Shoal:
    """The command with results that do not last."""
    return Shoal(tmp_path_factory.mktemp("client"), SHOAL_REDIS_URL=server.url, **BRIEF)


@pytest.fixture(scope="module")
def brief_worker(site: Shoal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with Worker(site.elsewhere(tmp_path_factory.mktemp("worker"))) as worker:
        yield worker


@contextmanager
def held_while_loading(
    server: Server, workers: list[Worker], submit: Callable[[], str]
) -> Iterator[str]:
    """Let the workers stand still as soon as some images of a new job are loaded."""
    with suspended(workers):
        job = submit()
    ledger = Ledger(server.client, job, LEASE_SECONDS)
    wait_until(lambda: ledger.status().images.loaded, 30, "some images are loaded")
    with suspended(workers):
        assert ledger.state() is State.LOADING
        yield job


def test_cancelled_job_goes_on_to_the_same_labels(
    shoal: Shoal, workers: list[Worker], redis_server: Server, slow_photographs: Path
) -> None:
    submit = partial(shoal.submit, slow_photographs, "--batch-size", 6)
    with held_while_loading(redis_server, workers, submit) as job:
        cancelled = shoal.json("cancel", job)
    retried = shoal.json("retry", job)
    assert retried["state"] in {"queued", "loading"}
    assert retried["images"]["loaded"] >= cancelled["images"]["loaded"]
    assert shoal.json("wait", job)["state"] == "finished"
    fresh = submit()
    shoal.output("wait", fresh)
    assert shoal.output("result", job) == shoal.output("result", fresh)


def test_retry_of_failed_images_ends_in_the_labels_of_a_fresh_run(
    shoal: Shoal, workers: list[Worker], photographs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photographs"
    shutil.copytree(photographs, folder)
    image = sorted(folder.rglob("*.jpg"))[7]
    content = image.read_bytes()
    image.write_bytes(content[:1000])
    job = shoal.submit(folder)
    assert shoal.json("wait", job)["images"]["failed"] == 1
    image.write_bytes(content)
    shoal.output("retry", job, "--failed-only")
    assert shoal.json("wait", job)["images"] == {
        "total": 120,
        "loaded": 120,
        "failed": 0,
        "known": 0,
    }
    fresh = shoal.submit(folder)
    shoal.output("wait", fresh)
    assert shoal.output("result", job) == shoal.output("result", fresh)
    done = shoal.run("retry", job, "--failed-only")
    assert done.returncode == 2
    assert "failed: nothing to retry" in done.stderr


def test_run_and_submit_find_the_finished_job(embedded_run: FinishedRun, tmp_path: Path) -> None:
    shoal, job = embedded_run.shoal, embedded_run.job_id
    again = shoal.run("run", embedded_run.source, "--out", tmp_path / "out", "--json")
    assert json.loads(again.stdout)["job_id"] == job
    assert f"Job {job} already has these images and options (finished)" in again.stderr
    labels = (tmp_path / "out" / "labels.csv").read_bytes()
    assert labels == (embedded_run.out / "labels.csv").read_bytes()
    assert shoal.output("submit", embedded_run.source).strip() == job
    another = shoal.submit(embedded_run.source)
    assert another != job
    shoal.output("cancel", another)


def test_run_that_is_stopped_leaves_a_job_that_it_found(
    shoal: Shoal, workers: list[Worker], redis_server: Server, slow_photographs: Path
) -> None:
    submit = partial(shoal.submit, slow_photographs, "--batch-size", 7)
    with held_while_loading(redis_server, workers, submit) as job:
        run = shoal.start("run", slow_photographs, "--batch-size", 7, stderr=subprocess.PIPE)
        assert run.stderr
        for line in run.stderr:
            if line.startswith("loading"):
                run.terminate()
        assert run.wait(30) == INTERRUPTED
    assert shoal.json("wait", job)["state"] == "finished"


def test_run_that_is_stopped_leaves_a_job_that_another_has_found_since(
    shoal: Shoal, workers: list[Worker], redis_server: Server, slow_photographs: Path
) -> None:
    options = ("--batch-size", 7, "--random-state", 3)

    def start() -> str:
        assert run.stderr
        told = next(line for line in run.stderr if line.startswith("Job "))
        return told.removeprefix("Job ").partition(":")[0]

    run = shoal.start("run", slow_photographs, *options, stderr=subprocess.PIPE)
    with held_while_loading(redis_server, workers, start) as job:
        assert shoal.output("submit", slow_photographs, *options).strip() == job
        run.terminate()
        run.communicate(timeout=30)
        assert run.returncode == INTERRUPTED
    assert shoal.json("wait", job)["state"] == "finished"


def test_python_retries_on_the_embedded_server_with_workers_of_its_own(
    embedded: Shoal, photographs: Path
) -> None:
    with Client(settings=Settings(home=embedded.home)) as client:
        job = client.job(embedded.submit(photographs))
        job.cancel()
        assert job.retry().state is State.QUEUED
        assert job.wait(timeout_seconds=60).images.loaded == 120


def test_submit_says_what_a_job_needs_and_refuses_what_cannot_fit(
    server: Server, photographs: Path, tmp_path: Path
) -> None:
    shoal = Shoal(tmp_path, SHOAL_REDIS_URL=server.url, **BRIEF)
    used = server.client.info("memory")["used_memory"]
    try:
        server.client.config_set("maxmemory", used + 2**24)
        refused = shoal.run("submit", photographs, "--image-size", 256, "--json")
        told = shoal.run("submit", photographs, "--json")
    finally:
        server.client.config_set("maxmemory", 0)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "raise maxmemory" in refused.stderr
    assert json.loads(told.stdout)["state"] == "queued"
    assert "MB in Redis and" in told.stderr
    shoal.output("cancel", json.loads(told.stdout)["job_id"])


def test_the_memory_that_a_job_needs_is_told_on_request(embedded_run: FinishedRun) -> None:
    shoal, source = embedded_run.shoal, embedded_run.source
    told = shoal.run("submit", source, "--force", "-v")
    assert told.stderr.count("The job needs about ") == 1
    shoal.output("cancel", told.stdout.strip())


def test_nothing_of_an_ended_job_is_left(
    site: Shoal,
    brief_worker: Worker,
    server: Server,
    photographs: Path,
    slow_photographs: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.jpg").write_text("not an image")
    jobs = [site.submit(photographs)]
    site.output("wait", jobs[0])
    jobs.append(site.submit(tmp_path / "texts", "--clusters", 1))
    assert site.run("wait", jobs[1]).returncode == 1
    submit = partial(site.submit, slow_photographs, "--batch-size", 6)
    for _ in range(2):
        with held_while_loading(server, [brief_worker], submit) as job:
            site.output("cancel", job)
        jobs.append(job)
    site.output("retry", jobs[2])
    site.output("wait", jobs[2])

    def left() -> list[bytes]:
        return [key for job in jobs for key in server.client.scan_iter(f"*{job}*")]

    wait_until(lambda: not left(), 60, "all keys of the jobs are gone")
    # A worker's next sweep forgets the ids as well.
    wait_until(lambda: not server.client.exists(JOBS), 30, "the list of jobs is empty")
    documented = (WORKERS, WORKER, CLAIMS, COUNTS, workers(PROTOCOL), "shoal:celery:")
    for key in map(bytes.decode, server.client.scan_iter("*")):
        assert key.startswith(documented)
        stays = "_kombu.binding" in key or key in (WORKERS, SEEN_WORKERS, COUNTS, workers(PROTOCOL))
        assert stays or server.client.ttl(key) > 0
