"""A worker that cannot work, or would lose work, ends with a message."""

import os
import subprocess
import sys
from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest
from celery.worker import state
from polling import wait_until
from servers import open_redis

from shoal.shared.shards import FileShards, find_id
from shoal.shared.shards.urls import open_place
from shoal.shared.store.keys import outdated, queue_key
from shoal.shared.tasks import BATCHES, CALLBACKS
from shoal.worker.runtime import sweep
from shoal.worker.runtime.sweep import SweeperStep

COMMAND = [sys.executable, "-m", "celery", "-A", "shoal.worker.app", "worker", "-P", "solo"]


def test_a_worker_says_first_that_its_container_has_too_little_memory(own_server):
    own_server.start()
    with open_redis(own_server.url) as client:
        client.config_set("appendonly", "no")  # then it ends by itself
    code = (
        "import shoal.worker.memory as m; m.read_memory_limit = lambda _: 2**28;"
        "import shoal.worker.app; from celery.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *COMMAND[3:], "-c", "2"],
        env={**os.environ, "SHOAL_REDIS_URL": own_server.url},
        capture_output=True,
        timeout=60,
    )
    first = done.stderr.splitlines()[0]
    assert b"level=WARNING" in first
    assert b"may use 256.0 MB of memory. A worker with a concurrency of 2 needs" in first


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("appendonly", "no", b"CONFIG SET appendonly yes"),
        # Celery logs what is raised here and starts all the same; we do not.
        ("requirepass", "secret", b"The worker cannot start: "),
    ],
)
def test_a_worker_ends_with_a_message_where_it_cannot_work(own_server, name, value, message):
    own_server.start()
    with open_redis(own_server.url) as client:
        client.config_set(name, value)
    done = subprocess.run(
        COMMAND,
        env={**os.environ, "SHOAL_REDIS_URL": own_server.url},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert message in done.stderr


def test_a_worker_ends_with_a_message_where_names_are_not_decoded_as_utf8(server_url):
    done = subprocess.run(
        COMMAND,
        env=os.environ
        | {"SHOAL_REDIS_URL": server_url}
        | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert b"set PYTHONUTF8=1." in done.stderr


def start_with_shards(server_url: str, url: str) -> "CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", PREPARE, BATCHES],
        env={**os.environ, "SHOAL_REDIS_URL": server_url, "SHOAL_SHARDS_URL": url},
        capture_output=True,
        timeout=100,
        check=False,
        text=True,
    )


def test_a_worker_starts_where_it_can_use_the_bucket(server_url, bucket_url):
    done = start_with_shards(server_url, bucket_url)
    assert (done.returncode, done.stderr) == (0, "")
    # A trial leaves nothing behind, and gives a place no id: that is for whoever submits.
    assert list(open_place(bucket_url).names("")) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://none-of-this-name/x", "no such bucket. Create it"),
        ("az://container/x", "set AZURE_STORAGE_ACCOUNT_NAME"),
        ("/mnt/shards", "write file:///mnt/shards"),
    ],
)
def test_a_worker_ends_with_the_remedy_where_it_cannot_use_the_place(
    server_url, bucket_url, url, message
):
    done = start_with_shards(server_url, url)
    assert done.returncode != 0
    assert done.stderr.startswith("The worker cannot start: ")
    assert message in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_worker_ends_where_it_may_not_write_to_the_directory(server_url, tmp_path):
    find_id(FileShards(tmp_path))
    tmp_path.chmod(0o500)
    done = start_with_shards(server_url, tmp_path.as_uri())
    tmp_path.chmod(0o700)
    assert "let this user write there" in done.stderr


def test_a_worker_starts_where_no_job_has_used_the_directory_yet(server_url, tmp_path):
    done = start_with_shards(server_url, (tmp_path / "shards").as_uri())
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


LOG = """
import logging, sys
from shoal.worker.app import set_up_log
logger = logging.getLogger()
logger.addHandler(logging.FileHandler(sys.argv[1], encoding="utf-8"))
set_up_log(logger)
logger.error("cannot read %s", "caf\\udce9", extra={"job": "ab12"})
"""


def test_a_log_is_valid_text_whatever_it_names(server_url, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOG, str(tmp_path / "log")],
        env={**os.environ, "SHOAL_REDIS_URL": server_url},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    assert 'msg="cannot read caf\\xe9"' in (tmp_path / "log").read_text(encoding="utf-8")


PREPARE = """
import sys
from types import SimpleNamespace
from shoal.worker.app import app, prepare
app.amqp.queues.select([sys.argv[1]])
prepare(SimpleNamespace(app=app))
print("shoal.worker.model.fitting" in sys.modules, "sklearn" in sys.modules)
"""


@pytest.mark.parametrize(("queue", "is_ready"), [(CALLBACKS, True), (BATCHES, False)])
def test_who_fits_has_imported_scikit_learn_before_and_who_loads_has_not(
    server_url, queue, is_ready
):
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, queue],
        env={**os.environ, "SHOAL_REDIS_URL": server_url},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.split() == [str(is_ready)] * 2


@pytest.fixture
def step(app, server_url):
    app.redis_url = server_url
    yield SweeperStep(SimpleNamespace(app=app))
    state.should_stop = None


def test_a_worker_that_finds_faults_later_stops(redis, step):
    redis.config_set("appendonly", "no")
    try:
        step.sweep("one@host")
    finally:
        redis.config_set("appendonly", "yes")
    assert state.should_stop


def test_a_worker_looks_for_faults_until_redis_has_answered_once(own_server, app):
    app.redis_url = own_server.url
    step = SweeperStep(SimpleNamespace(app=app))
    step.sweep("one@host")
    assert not step.checked
    own_server.start()
    step.sweep("one@host")
    assert step.checked
    with open_redis(own_server.url) as client:
        wait_until(lambda: client.zscore("shoal:workers", "one@host"))
    assert not state.should_stop


def test_a_worker_that_cannot_describe_itself_gives_its_heartbeat_and_sweeps(
    redis, step, monkeypatch
):
    monkeypatch.setattr(sweep, "describe_worker", lambda *_: 1 / 0)
    redis.sadd(outdated(), "0123456789ab")
    step.sweep("one@host")
    assert step.registry.workers(within_seconds=20) == ["one@host"]
    assert redis.llen(queue_key(CALLBACKS, 0)) == 1


def test_a_worker_that_was_lost_is_logged_once_by_those_that_live(redis, step, caplog):
    for name, age in (("lost@host", 60), ("other@host", 1)):
        step.registry.note_worker(name)
        redis.zincrby("shoal:workers", -age, name)
    step.sweep("one@host")
    step.sweep("one@host")
    (record,) = caplog.records
    assert (record.msg, record.lost_worker) == ("worker lost", "lost@host")
    assert set(step.registry.workers(within_seconds=20)) == {"one@host", "other@host"}


@pytest.mark.parametrize(("queue", "refuses"), [(CALLBACKS, False), (BATCHES, True)])
def test_only_who_loads_images_checks_the_model_of_the_user(server_url, tmp_path, queue, refuses):
    missing = str(tmp_path / "missing.onnx")
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, queue],
        env={**os.environ, "SHOAL_REDIS_URL": server_url, "SHOAL_EMBEDDING_MODEL": missing},
        capture_output=True,
        check=False,
        text=True,
    )
    assert (missing in done.stderr) == refuses == bool(done.returncode)
