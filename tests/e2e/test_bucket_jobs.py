"""A job whose shards lie in a bucket, from the command to the files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from polling import wait_until
from servers import Server, start_redis
from shoal_command import FinishedRun, Shoal
from worker_process import Worker

from shoal.shared.shards.urls import open_place
from shoal.shared.store import Ledger
from shoal.shared.store.keys import CLAIMS, JobKeys
from shoal.worker.runtime.bucket_sweep import CLAIM


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A Redis that no other worker works for."""
    server = start_redis(tmp_path)
    yield server
    server.stop()


def test_a_job_in_a_bucket_has_the_labels_of_one_in_files(
    server: Server, bucket_url: str, tmp_path: Path, photographs: Path, embedded_run: FinishedRun
) -> None:
    settings = {"SHOAL_REDIS_URL": server.url, "SHOAL_SHARDS_URL": bucket_url}
    shoal, out = Shoal(tmp_path / "home", **settings), tmp_path / "out"
    with Worker(shoal):
        job = shoal.submit(photographs)
        shoal.output("wait", job)
    shoal.output("result", job, "--out", out)
    assert (out / "labels.csv").read_bytes() == (embedded_run.out / "labels.csv").read_bytes()
    assert (out / "report.html").exists()
    kinds = {name.split("/")[2] for name in open_place(bucket_url).names(f"jobs/{job}")}
    assert kinds == {"features", "thumbnails", "coordinates"}
    assert list(server.client.scan_iter("*shard:*")) == []


def test_what_has_expired_is_deleted_though_nobody_asks(
    server: Server, bucket_url: str, tmp_path: Path, photographs: Path
) -> None:
    times = {"SHOAL_FEATURES_SECONDS": 1, "SHOAL_RESULTS_SECONDS": 2, "SHOAL_SWEEP_SECONDS": 0.5}
    shoal = Shoal(
        tmp_path / "home", SHOAL_REDIS_URL=server.url, SHOAL_SHARDS_URL=bucket_url, **times
    )
    place = open_place(bucket_url)
    with Worker(shoal):
        job = shoal.submit(photographs)
        wait_until(lambda: has_ended(server, job), 60, "the job has ended")
        assert list(place.names("jobs")) != []
        wait_until(lambda: not server.client.exists(JobKeys(job).job), 30, "it has expired")
        server.client.delete(f"{CLAIMS}{CLAIM}")  # an hour has passed
        wait_until(lambda: list(place.names("jobs")) == [], 30, "its shards are deleted")


def has_ended(server: Server, job: str) -> bool:
    state = Ledger(server.client, job, 15).state()
    return bool(state and state.is_final)
