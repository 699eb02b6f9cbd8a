import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from polling import wait_until
from servers import Server, start_redis
from shoal_command import PYTHON, FinishedRun, Shoal
from worker_process import Worker

from shoal.shared.store import Registry
from shoal.shared.tasks import BATCHES, CALLBACKS

STATUS_FIELDS = {
    "job_id",
    "previous",
    "state",
    "images",
    "left_out",
    "progress",
    "images_per_second",
    "eta_seconds",
    "created_at",
    "started_at",
    "finished_at",
    "expires_at",
    "error",
    "request",
    "protocol",
    "version",
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
    assert status["images"] == {"total": 120, "loaded": 120, "failed": 0, "known": 0}
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


# Each of these has a meaning in a URL.
PASSWORD = "d@l/ph:i#n?7%"


@pytest.fixture(scope="module")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_redis(tmp_path_factory.mktemp("guarded"), password=PASSWORD)
    yield server
    server.stop()


@pytest.fixture(params=["url", "socket_url", "file"])
def guarded(request: pytest.FixtureRequest, guarded_server: Server, tmp_path: Path) -> Shoal:
    """The command that knows the password, by one of the ways there are."""
    if request.param != "file":
        return Shoal(tmp_path / "client", SHOAL_REDIS_URL=getattr(guarded_server, request.param))
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    url = f"redis://127.0.0.1:{guarded_server.port}/0"
    return Shoal(tmp_path / "client", SHOAL_REDIS_URL=url, SHOAL_REDIS_PASSWORD_FILE=secret)


def test_one_worker_labels_the_same_behind_a_password(
    guarded: Shoal, embedded_run: FinishedRun, tmp_path: Path
) -> None:
    with Worker(guarded.elsewhere(tmp_path / "worker")) as worker:
        job = guarded.submit(embedded_run.source)
        assert guarded.json("wait", job)["state"] == "finished"
    assert guarded.output("result", job) == (embedded_run.out / "labels.csv").read_text()
    # The password stands neither in logs nor in what is listed.
    said = worker.log.read_text() + guarded.output("status", job, "--json") + show_setup(guarded)
    assert not any(password in said for password in (PASSWORD, quote(PASSWORD, safe="")))


def show_setup(shoal: Shoal) -> str:
    """What Celery's own command shows of the application, for people to send to others."""
    command = [PYTHON, "-m", "celery", "-A", "shoal.worker.app", "report"]
    return subprocess.run(
        command, env=shoal.environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.mark.parametrize("secret", [":shark8@", "user:shark8@", ""])
@pytest.mark.parametrize("command", ["jobs", "worker"])
def test_a_password_that_is_wrong_or_missing_is_told_in_our_words_without_it(
    guarded_server: Server, tmp_path: Path, secret: str, command: str
) -> None:
    url = f"redis://{secret}127.0.0.1:{guarded_server.port}/0"
    done = Shoal(tmp_path, SHOAL_REDIS_URL=url).run(command)
    assert done.returncode == 1
    assert "needs a password, or another one" in done.stderr
    assert "set SHOAL_REDIS_URL" in done.stderr
    assert not any(word in done.stderr for word in ("shark8", "HELLO", "WRONGPASS", "username"))


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
