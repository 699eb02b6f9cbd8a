from pathlib import Path

from benchmarks import workers
from benchmarks.workers import Kind, measure, open_place

QUICK = Kind(image_seconds=0.005, batch_size=32)


def test_waiting_workers_do_whole_jobs_and_their_usage_is_told(tmp_path: Path) -> None:
    with open_place("redis", tmp_path) as (registry, group, url):
        for count in (1, 2):
            group.grow(count, registry)
            row = measure(group, registry, url, QUICK)
            assert row["images"] == int(count * 32 * workers.ROUNDS)
            assert row["batches"] >= row["images"] / 32
            # A wait is never shorter; how much longer depends on what else this machine does.
            assert 0 < row["share"] <= 1
            # The features of 27 images, twice 3,072 sums, and what is sent back.
            assert row["kilobytes_a_batch"] > 27 * 3
            assert row["commands_a_batch"] > 10
            assert row["worker_milliseconds_a_batch"] > 0
        assert len(group.mains) == 2
    assert all(main.returncode is not None for main in group.mains)
