import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from polling import wait_until
from servers import Server, start_redis
from shoal_command import FinishedRun, Shoal
from worker_process import Worker

from shoal.shared.store import Registry
from shoal.shared.tasks import BATCHES, CALLBACKS

STATUS_FIELDS = {
    "job_id",
    "state",
    "images",
    "progress",
    "images_per_second",
    "eta_seconds",
    "created_at",
    "started_at",
    "finished_at",
    "expires_at",
    "error",
    "request",
}


@pytest.fixture(scope="module")
def job(shoal: Shoal, workers: list[Worker], photographs: Path) -> str:
    job = shoal.submit(photographs)
    shoal.output("wait", job)
    return job


def test_wait_and_status_print_the_status_of_the_design(shoal: Shoal, job: str) -> None:
    waited, status = shoal.json("wait", job), shoal.json("status", job)
    assert waited == status
    assert set(status) == STATUS_FIELDS
    assert status["job_id"] == job
    assert status["state"] == "finished"
    assert status["images"] == {"total": 120, "loaded": 120, "failed": 0}
    assert status["progress"] == 1
    assert status["eta_seconds"] is None
    assert status["error"] is None
    times = [status[f"{name}_at"] for name in ("created", "started", "finished", "expires")]
    assert times == sorted(times)
    assert status["request"]["clusters"] == 5


def test_jobs_lists_the_newest_first(shoal: Shoal, job: str, photographs: Path) -> None:
    newer = shoal.submit(photographs, "--clusters", 2)
    listed = shoal.json("jobs")
    assert [status["job_id"] for status in listed][:2] == [newer, job]
    assert set(listed[0]) == STATUS_FIELDS
    shoal.output("wait", newer)


def test_both_workers_take_part(shoal: Shoal, workers: list[Worker], photographs: Path) -> None:
    shoal.output("wait", shoal.submit(photographs, "--batch-size", 4))
    assert all(worker.says("commit=committed") for worker in workers)


def test_two_workers_label_as_embedded_mode_does(
    shoal: Shoal, job: str, embedded_run: FinishedRun
) -> None:
    assert shoal.output("result", job) == (embedded_run.out / "labels.csv").read_text()


def test_run_uses_the_workers_that_there_are(
    shoal: Shoal, workers: list[Worker], embedded_run: FinishedRun, tmp_path: Path
) -> None:
    shoal.output("run", embedded_run.source, "--force", "--out", tmp_path / "out")
    labels = (tmp_path / "out" / "labels.csv").read_bytes()
    assert labels == (embedded_run.out / "labels.csv").read_bytes()
    assert not (shoal.home / "worker.log").exists()


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """400 images that take two processes a minute to load."""
    folder = tmp_path / "endless"
    folder.mkdir()
    noise = Image.effect_noise((500, 375), 60).convert("RGB").resize((4000, 3000))
    noise.save(folder / "000.png", compress_level=1)
    for number in range(1, 400):
        (folder / f"{number:03d}.png").hardlink_to(folder / "000.png")
    return folder


def test_cancelled_job_leaves_the_workers_idle_within_5_seconds(
    shoal: Shoal, workers: list[Worker], redis_server: Server, endless: Path
) -> None:
    job = shoal.submit(endless)
    wait_until(lambda: not any(w.is_idle() for w in workers), 30, "the workers are at work")
    assert shoal.json("cancel", job)["state"] == "cancelled"
    registry = Registry(redis_server.client)

    def is_idle() -> bool:
        waiting = registry.waiting([BATCHES, CALLBACKS])
        return not waiting and all(worker.is_idle() for worker in workers)

    wait_until(is_idle, 5, "no message waits, and no worker works")
    done = shoal.run("wait", job)
    assert done.returncode == 1
    assert f"Job {job} was cancelled" in done.stderr
    assert shoal.json("status", job)["images"]["loaded"] < 400
    assert shoal.json("cancel", job)["state"] == "cancelled"


def test_cancelling_a_finished_job_changes_nothing(shoal: Shoal, job: str) -> None:
    done = shoal.run("cancel", job, "--json")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (1, "finished")
    assert f"Job {job} had finished before; nothing was cancelled." in done.stderr
    assert shoal.output("result", job).startswith("path,label")


@pytest.fixture(scope="module")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_redis(tmp_path_factory.mktemp("guarded"), password="dolphin7")
    yield server
    server.stop()


@pytest.mark.parametrize("address", ["url", "socket_url"])
def test_one_worker_labels_the_same_behind_a_password(
    guarded_server: Server, embedded_run: FinishedRun, tmp_path: Path, address: str
) -> None:
    shoal = Shoal(tmp_path / "client", SHOAL_REDIS_URL=getattr(guarded_server, address))
    with Worker(shoal.elsewhere(tmp_path / "worker")) as worker:
        job = shoal.submit(embedded_run.source)
        assert shoal.json("wait", job)["state"] == "finished"
    assert shoal.output("result", job) == (embedded_run.out / "labels.csv").read_text()
    # The password stands neither in logs nor in what is listed.
    assert not worker.says(guarded_server.password)


def test_wrong_password_is_told_without_the_password(
    guarded_server: Server, tmp_path: Path
) -> None:
    url = guarded_server.url.replace("dolphin7", "shark8")
    done = Shoal(tmp_path, SHOAL_REDIS_URL=url).run("jobs")
    assert done.returncode == 1
    assert "needs a password, or another one" in done.stderr
    assert "set SHOAL_REDIS_URL" in done.stderr
    assert "shark8" not in done.stderr


def test_a_redis_that_would_lose_work_is_refused_by_workers(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    server = start_redis(tmp_path / "redis")
    worker = None
    try:
        server.client.config_set("maxmemory-policy", "allkeys-lru")
        worker = Worker(Shoal(tmp_path / "worker", SHOAL_REDIS_URL=server.url))
        wait_until(worker.has_ended, 30, "the worker has ended")
        assert worker.process.returncode not in (0, -9)
        assert worker.says("CONFIG SET maxmemory-policy noeviction")
    finally:
        if worker:
            worker.lose()
        server.stop()


def test_submit_without_a_worker_says_so(
    guarded_server: Server, photographs: Path, tmp_path: Path
) -> None:
    shoal = Shoal(tmp_path, SHOAL_REDIS_URL=guarded_server.url)
    guarded_server.client.flushall()
    done = shoal.run("submit", photographs, "--json")
    assert done.returncode == 0
    assert "start one with `shoal worker`" in done.stderr
    assert json.loads(done.stdout)["state"] == "queued"
