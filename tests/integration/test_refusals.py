"""What workers will refuse is told where a job is submitted and where they are started."""

import pytest
from shoal_command import Shoal

from shoal import Client
from shoal.shared.errors import ShoalError, UsageError
from shoal.shared.settings import Settings


@pytest.fixture
def broken_model(tmp_path):
    model = tmp_path / "broken-日本.onnx"
    model.write_bytes(b"no model")
    return model


@pytest.mark.parametrize("content", [b"no model", None])
def test_a_model_that_cannot_be_used_is_refused_with_its_reason_where_a_job_is_submitted(
    redis, server_url, digits, tmp_path, content
):
    model = tmp_path / "broken-日本.onnx"
    if content is not None:
        model.write_bytes(content)
    settings = Settings(embedding_model=model)
    with Client(server_url, settings=settings) as client:
        with pytest.raises(UsageError, match=rf"^SHOAL_EMBEDDING_MODEL: .*{model}.*"):
            client.submit(digits, features="embedding")
        assert not list(client.jobs())
        assert client.submit(digits, features="pixels", clusters=2)  # which needs no model


def test_a_worker_that_cannot_start_is_told_with_its_reason(tmp_path, broken_model, digits):
    settings = Settings(home=tmp_path / "home", embedding_model=broken_model)
    with Client(settings=settings) as client:
        job = client.submit(digits, features="pixels", clusters=2)
        with pytest.raises(ShoalError, match=rf"{broken_model} cannot be used.*worker\.log"):
            job.wait(timeout_seconds=60)


def test_a_worker_that_was_killed_is_not_told_with_the_reason_of_an_earlier_one(tmp_path, digits):
    settings = Settings(home=tmp_path / "home")
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "worker.log").write_text("The worker cannot start: of old\n")
    with Client(settings=settings) as client:
        job = client.submit(digits, features="pixels", clusters=2)
        assert client.workers.processes
        for process in client.workers.processes.processes:
            process.kill()
        with pytest.raises(ShoalError, match=r"ended: \S+worker\.log says why"):
            job.wait(timeout_seconds=60)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("appendonly", "no", "CONFIG SET appendonly yes"),
        ("maxmemory-policy", "allkeys-lru", "CONFIG SET maxmemory-policy noeviction"),
    ],
)
def test_a_redis_that_workers_refuse_is_told_to_whoever_submits(
    own_server, tmp_path, digits, name, value, remedy
):
    own_server.start()
    own_server.client.config_set(name, value)
    shoal = Shoal(tmp_path, SHOAL_REDIS_URL=own_server.url)
    done = shoal.run("submit", digits, "--clusters", 2, "--features", "pixels")
    assert done.returncode == 0
    assert "Workers refuse to work with this Redis" in done.stderr
    assert remedy in done.stderr
