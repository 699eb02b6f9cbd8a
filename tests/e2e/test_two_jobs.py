"""Two jobs at once: the small one does not wait for the large one."""

from pathlib import Path

import pytest
from polling import wait_until
from servers import Server
from shoal_command import Shoal
from worker_process import Worker, suspended

from benchmarks.photographs import make_photographs
from shoal.shared.jobs import State
from shoal.shared.store import Ledger

N_LARGE = 20_000
N_SMALL = 200


@pytest.fixture(scope="module")
def large_folder(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> Path:
    """As many photographs as keep two processes busy while a small job comes and goes."""
    folder = tmp_path_factory.mktemp("large")
    originals = sorted(photographs.rglob("*.jpg"))
    for number in range(N_LARGE):
        original = originals[number % len(originals)]
        (folder / f"{number:05d}.jpg").hardlink_to(original)
    return folder


def test_a_small_job_overtakes_a_large_one_that_was_there_before(
    shoal: Shoal,
    workers: list[Worker],
    redis_server: Server,
    large_folder: Path,
    tmp_path: Path,
) -> None:
    small_folder = make_photographs(tmp_path, N_SMALL)
    with suspended(workers):
        large = Ledger(redis_server.client, shoal.submit(large_folder, "--batch-size", 50), 15)
    wait_until(lambda: large.status().images.loaded, 30, "the large job loads")
    with suspended(workers):
        small = Ledger(redis_server.client, shoal.submit(small_folder, "--batch-size", 20), 15)
    wait_until(lambda: small.state() is State.FINISHED, 60, "the small job has finished")
    assert large.state() is State.LOADING
    shoal.output("cancel", large.job_id)
