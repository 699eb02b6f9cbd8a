from pathlib import Path

import pytest

from benchmarks import workers
from benchmarks.workers import Kind, measure, open_setup

QUICK = Kind(image_seconds=0.005, batch_size=32)
FEATURES = 27 * 3.072  # kilobytes of the 27 images of a batch


@pytest.mark.parametrize("place", ["redis", "files"])
def test_waiting_workers_do_whole_jobs_and_their_usage_is_told(tmp_path: Path, place: str) -> None:
    with open_setup(place, tmp_path) as setup:
        for count in (1, 2):
            setup.group.grow(count, setup.registry)
            row = measure(setup, QUICK)
            assert row["images"] == int(count * 32 * workers.ROUNDS)
            assert row["batches"] >= row["images"] / 32
            # A wait is never shorter; how much longer depends on what else this machine does.
            assert 0 < row["share"] <= 1
            assert row["kilobytes_a_batch"] > (FEATURES if place == "redis" else 0)
            assert row["commands_a_batch"] > 10
            assert row["worker_milliseconds_a_batch"] > 0
        assert len(setup.group.mains) == 2
    assert all(main.returncode is not None for main in setup.group.mains)
    assert any(tmp_path.glob("shards/jobs/*/features/*")) == (place == "files")
