"""Messages and jobs that nothing of ours made: a worker drops them, says so, and goes on."""

import json
import os
import pickle
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image
from polling import wait_until
from quick import make_quick_request
from servers import Server
from worker_process import CELERY_WORKER

from shoal.shared.errors import DamagedJobError, NotFinishedError
from shoal.shared.findings import FailureReason
from shoal.shared.jobs import State, Wave
from shoal.shared.messaging.messages import Messages
from shoal.shared.redis.connection import connect
from shoal.shared.settings import Settings
from shoal.shared.store import Commit, Ledger, Registry
from shoal.shared.store.keys import CELERY
from shoal.shared.tasks import BATCHES, CALLBACKS, FIT_JOB, LOAD_BATCH, PROJECT_IMAGES, SWEEP
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.attempts import MOST_BATCH_ATTEMPTS
from shoal.worker.stages.loading.loading import load_batch

PICKLE = "application/x-python-serialize"


class Touch(NamedTuple):
    """Touches a file when it is unpickled."""

    path: str

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mknod, (self.path,)


class AttackedWorker:
    """A worker's processes with a Redis of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server = Server("redis-server", directory)
        self.server.start()
        self.client = connect(self.server.url)
        self.redis: Any = self.client
        self.messages = Messages(self.client)
        environment = {**os.environ, "SHOAL_REDIS_URL": self.server.url}
        with (directory / "log").open("wb") as log:
            self.process = subprocess.Popen(CELERY_WORKER, env=environment, stdout=log, stderr=log)

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def submit(self, job_id: str) -> Ledger:
        """Register a job of one good image."""
        Image.new("RGB", (9, 9)).save(self.directory / "a.png")
        request = make_quick_request(source=str(self.directory))
        Registry(self.client).register(job_id, request, [["a.png"]])
        return Ledger(self.client, job_id, 15)

    def send(self, body: bytes, queue: str = BATCHES, kind: str = "json", **headers: Any) -> None:
        """Put a message of this body and these headers into a queue."""
        named = {"id": "1", "task": LOAD_BATCH, "lang": "py", "root_id": "1", **headers}
        message = {
            "body": b64encode(body).decode(),
            "content-type": kind if "/" in kind else f"application/{kind}",
            "content-encoding": "binary" if kind == PICKLE else "utf-8",
            "headers": named,
            "properties": {
                "body_encoding": "base64",
                "delivery_info": {"exchange": queue, "routing_key": queue},
                "delivery_tag": os.urandom(8).hex(),
            },
        }
        self.redis.lpush(CELERY + queue, json.dumps(message))

    def check_it_goes_on(self) -> None:
        """See that a job sent now is loaded, and that nothing is left of what came before."""
        ledger = self.submit(job_id := os.urandom(6).hex())
        self.messages.send_batches(job_id, Wave.LOADING, [0])
        wait_until(lambda: ledger.status().images.loaded == 1)
        unread = [CELERY + queue for queue in (BATCHES, CALLBACKS)]
        wait_until(lambda: not self.redis.exists(*unread, CELERY + "unacked"))
        assert self.process.poll() is None
        ledger.cancel()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.client.close()
        self.server.stop()


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttackedWorker]:
    worker = AttackedWorker(tmp_path_factory.mktemp("worker"))
    try:
        wait_until(lambda: "ready." in worker.log(), 60)
        yield worker
    finally:
        worker.stop()


def body(*arguments: Any, **named: Any) -> bytes:
    return json.dumps([arguments, named, {"chord": None}]).encode()


def dropped(worker: AttackedWorker, send: Any) -> str:
    """The line that the log has of a message, once the worker has gone on."""
    before = len(worker.log())
    send()
    worker.check_it_goes_on()
    lines = worker.log()[before:].splitlines()
    (line,) = [line for line in lines if "level=INFO" not in line]
    return line


@pytest.mark.parametrize("text", ["garbage", "[1]", "1", '{"a": 1}', '{"properties": 1}', b"\xff"])
def test_what_is_no_message_at_all_is_dropped(worker: AttackedWorker, text: str | bytes) -> None:
    line = dropped(worker, lambda: worker.redis.lpush(CELERY + BATCHES, text))
    assert "message dropped" in line


@pytest.mark.parametrize("kind", [PICKLE, "json"])
def test_a_pickle_is_not_loaded_whatever_it_calls_itself(
    worker: AttackedWorker, tmp_path: Path, kind: str
) -> None:
    content = pickle.dumps(([Touch(str(tmp_path / "touched"))], {}, {}))
    assert "message dropped" in dropped(worker, lambda: worker.send(content, kind=kind))
    assert not (tmp_path / "touched").exists()
    with suppress(TypeError):  # of a NamedTuple
        pickle.loads(content)  # noqa: S301  to see that it would have been
    assert (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "content", [b"", b'{"', b"5", b"null", b'"text"', b"[[], {}]", b"{}", b"[" * 100_000, b"\xff"]
)
def test_a_body_that_is_no_task_is_dropped(worker: AttackedWorker, content: bytes) -> None:
    assert "message dropped" in dropped(worker, lambda: worker.send(content))


@pytest.mark.parametrize(
    "arguments",
    [
        *(["job1"], ["job1", 1, 2], ["job1", -1], ["job1", 10**16], ["job1", "3"]),
        *(["job1", 1.5], ["job1", None], ["job1", True], ["job1", [1]], ["job1", float("nan")]),
    ],
)
def test_what_is_no_batch_is_dropped_with_its_jobs_name(
    worker: AttackedWorker, arguments: list[object]
) -> None:
    line = dropped(worker, lambda: worker.send(body(*arguments)))
    assert "message dropped" in line
    assert " job=job1 " in line


@pytest.mark.parametrize("job_id", ["../../x", "x" * 10_000, "", "a\nb", "{a}", "\ud800", 5, None])
@pytest.mark.parametrize("task", [LOAD_BATCH, FIT_JOB])
def test_what_is_no_job_is_dropped_in_one_short_line(
    worker: AttackedWorker, job_id: object, task: str
) -> None:
    arguments = [job_id, 0] if task == LOAD_BATCH else [job_id]
    line = dropped(worker, lambda: worker.send(body(*arguments), task=task))
    assert "message dropped" in line
    assert len(line) < 1000


@pytest.mark.parametrize("token", ["../../x", "x" * 10_000, "", 5, True, None, ["x"]])
def test_what_is_no_question_is_dropped_and_the_worker_goes_on(
    worker: AttackedWorker, token: object
) -> None:
    line = dropped(worker, lambda: worker.send(body("job", token), CALLBACKS, task=PROJECT_IMAGES))
    assert "message dropped" in line
    assert len(line) < 1000


@pytest.mark.parametrize(
    "headers",
    [
        *({"task": "shoal.other"}, {"task": ["a", "list"]}, {"task": None}, {"id": [1]}),
        *({"eta": "2999-01-01T00:00:00"}, {"expires": "never"}, {"timelimit": "x"}),
    ],
)
def test_headers_that_are_not_ours_cost_neither_the_worker_nor_its_time(
    worker: AttackedWorker, headers: dict[str, Any]
) -> None:
    line = dropped(worker, lambda: worker.send(body("job1", 0), **headers))
    assert " job=job1 " in line


def test_arguments_that_no_task_has_are_dropped(worker: AttackedWorker) -> None:
    assert "job_id" not in dropped(worker, lambda: worker.send(body(job_id="job1", batch=0)))
    assert "[1, 2]" in dropped(worker, lambda: worker.send(body(1, 2), CALLBACKS, task=SWEEP))


@pytest.mark.parametrize(
    ("queue", "task", "arguments"),
    [
        (BATCHES, LOAD_BATCH, ["nosuchjob", 0]),
        (BATCHES, LOAD_BATCH, ["nosuchjob", 10**12]),
        (CALLBACKS, FIT_JOB, ["nosuchjob"]),
    ],
)
def test_an_unknown_job_is_dropped_with_its_name(
    worker: AttackedWorker, queue: str, task: str, arguments: list[object]
) -> None:
    line = dropped(worker, lambda: worker.send(body(*arguments), queue, task=task))
    assert "no such" in line
    assert " job=nosuchjob " in line
    assert not worker.redis.keys("*nosuchjob*")


def test_a_batch_beyond_those_of_its_job_leaves_nothing(worker: AttackedWorker) -> None:
    ledger = worker.submit("shortjob")
    before = set(worker.redis.keys("*shortjob*"))
    assert " job=shortjob " in dropped(worker, lambda: worker.send(body("shortjob", 1)))
    assert ledger.state() is State.QUEUED
    assert set(worker.redis.keys("*shortjob*")) == before
    ledger.cancel()


@pytest.mark.parametrize("wave", Wave)
def test_a_job_in_a_state_of_another_version_is_left_alone(register: Any, wave: Wave) -> None:
    ledger = register()
    ledger.client.hset(ledger.keys.job, "state", "dreaming")
    assert ledger.batches.start(wave, 0, False) is None
    assert ledger.acquire_lease(wave) is None
    assert ledger.client.hget(ledger.keys.job, "state") == b"dreaming"


@pytest.mark.parametrize(
    ("request_fields", "error"),
    [
        ('{"source":"/","features":"dreams"}', "No features are named 'dreams'"),
        ('{"source":"/","image_size":"huge"}', "failed 8 times while loading"),
        ("[", "failed 8 times while loading"),
        ("null", "failed 8 times while loading"),
    ],
)
def test_a_request_of_another_version_ends_the_job(
    context: WorkerContext, register: Any, request_fields: str, error: str
) -> None:
    ledger = register(1)
    ledger.client.hset(ledger.keys.job, "job_request", request_fields)
    for _ in range(MOST_BATCH_ATTEMPTS + 1):
        with suppress(DamagedJobError, NotFinishedError):
            load_batch(context, ledger.job_id, 0, False)
    assert ledger.state() is State.FAILED
    assert error in ledger.fields()["error"]
    assert not ledger.fields()["error"].endswith("..")


def test_a_manifest_does_not_lead_out_of_the_roots(
    context: WorkerContext, register: Any, tmp_path: Path
) -> None:
    for folder in ("root", "outside"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / folder / "a.png")
    paths = ["a.png", "../outside/a.png", "../root/a.png", "/etc/hostname", "../" * 40 + "etc"]
    ledger = register([paths], source=str(tmp_path / "root"))
    rooted = replace(
        context, settings=Settings(cache_bytes=0, image_roots=(tmp_path.resolve() / "root",))
    )
    assert load_batch(rooted, ledger.job_id, 0, False) is Commit.COMMITTED
    failures = {f.path: f.reason for f in context.results(ledger.job_id).failures()}
    assert failures == {
        "../outside/a.png": FailureReason.OUTSIDE_ROOTS,
        "/etc/hostname": FailureReason.MISSING,  # beneath the source
        paths[-1]: FailureReason.OUTSIDE_ROOTS,
    }


def test_a_message_of_a_protocol_that_nobody_here_knows_is_dropped(worker: AttackedWorker) -> None:
    send = partial(worker.send, body("0123456789ab", 0), task=LOAD_BATCH, shoal_protocol=99)
    assert "of protocol 99, which workers of another version take" in dropped(worker, send)


def test_messages_for_other_versions_stay_where_they_are(worker: AttackedWorker) -> None:
    key = f"{CELERY}shoal.99.batches"
    worker.redis.lpush(key, "as they send it")
    worker.check_it_goes_on()
    assert worker.redis.lrange(key, 0, -1) == [b"as they send it"]
