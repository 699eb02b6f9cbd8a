"""A job whose shards lie in a bucket, from the command to the files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Server, start_redis
from shoal_command import FinishedRun, Shoal
from worker_process import Worker

from shoal.shared.shards.urls import open_place


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
