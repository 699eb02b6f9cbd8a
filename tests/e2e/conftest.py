from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from servers import Server, start_redis
from shoal_command import FinishedRun, Shoal, finished_run
from worker_process import CELERY_WORKER, Worker

from benchmarks.photographs import make_photographs

N_PHOTOGRAPHS = 120


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Shoal]:
    shoal = Shoal(tmp_path / "home")
    yield shoal
    shoal.kill_all()


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photographs(tmp_path_factory.mktemp("photographs"), N_PHOTOGRAPHS)


@pytest.fixture(scope="session")
def slow_photographs(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> Path:
    """120 images that take a process some seconds to load: 20 large ones, 6 names each."""
    folder = tmp_path_factory.mktemp("slow")
    for number, path in enumerate(sorted(photographs.rglob("*.jpg"))[:20]):
        first = folder / f"{number:02d}-0.png"
        Image.open(path).resize((1000, 750)).save(first, compress_level=1)
        for copy in range(1, 6):
            first.with_name(f"{number:02d}-{copy}.png").hardlink_to(first)
    return folder


@pytest.fixture(scope="session")
def embedded_run(
    tmp_path_factory: pytest.TempPathFactory, photographs: Path
) -> Iterator[FinishedRun]:
    directory = tmp_path_factory.mktemp("embedded")
    with finished_run(Shoal(directory / "home"), photographs, directory / "out") as run:
        yield run


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shoal(redis_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Shoal:
    """The command with a Redis of its own and two workers: see ``workers``."""
    return Shoal(tmp_path_factory.mktemp("client"), SHOAL_REDIS_URL=redis_server.url)


@pytest.fixture(scope="session")
def workers(shoal: Shoal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Worker]]:
    homes = [tmp_path_factory.mktemp("worker") for _ in range(2)]
    first = Worker(shoal.elsewhere(homes[0]))
    second = Worker(shoal.elsewhere(homes[1]), (*CELERY_WORKER, "-n", "second@%h"))
    with first, second:  # both start at once, and are waited for here
        yield [first, second]
