"""One server of Redis and one page for each file of tests, and a job that has finished."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from quick import QuickClient
from servers import Server
from web_server import WebServer

from shoal.producer.job import Job
from shoal.shared.redis.connection import connect
from shoal.shared.settings import Settings
from shoal.shared.store import Commit
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.finishing.finishing import finish_job
from shoal.worker.stages.fitting import fit_job
from shoal.worker.stages.labelling import label_batch
from shoal.worker.stages.loading.loading import load_batch


@pytest.fixture(scope="module")
def redis_server(
    tmp_path_factory: pytest.TempPathFactory, server_directory: Path
) -> Iterator[Server]:
    directory = server_directory / tmp_path_factory.mktemp("page").name
    directory.mkdir()
    server = Server("embedded", directory)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def web(redis_server: Server) -> Iterator[WebServer]:
    """The page as it is for who uses this machine."""
    with WebServer(redis_server.url) as web:
        yield web


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, mixed: Path) -> Path:
    """The mixed folder, where one image has a name as nobody gives it."""
    directory = tmp_path_factory.mktemp("hostile")
    for path in mixed.iterdir():
        (directory / path.name).hardlink_to(path)
    for name in ('<img src=x onerror="x()">.png', "caf\udce9\n.png"):
        (directory / name).write_bytes((mixed / "140.png").read_bytes())
    return directory


@pytest.fixture(scope="module")
def finished(redis_server: Server, hostile: Path) -> Job:
    """A job of 45 images in batches of 10, three of which failed, in two clusters."""
    context = WorkerContext(Settings(cache_bytes=0), connect(redis_server.url))
    with QuickClient(redis_server.url, settings=Settings()) as client:
        job = client.submit(hostile, clusters=2, batch_size=10)
        batches = range(job.results.n_batches())
        for batch in batches:
            assert load_batch(context, job.id, batch, False) is Commit.COMMITTED
        fit_job(context, job.id)
        for batch in batches:
            assert label_batch(context, job.id, batch, False) is Commit.COMMITTED
        finish_job(context, job.id)
        return job
