from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks import waiting_worker, worker_curve
from benchmarks.worker_curve import draw_curve
from benchmarks.worker_tables import make_cost_table, make_second_table, make_share_table
from benchmarks.workers import KINDS
from shoal.worker.stages.loading import reading

ROWS: list[dict[str, Any]] = [
    {"place": place, "kind": kind, "processes": processes, "share": 1 - processes / 2000}
    for place in ("redis", "files")
    for kind in ("camera", "small")
    for processes in (1, 4, 16, 128)
]


def test_the_curve_of_processes_is_drawn(tmp_path: Path) -> None:
    draw_curve(ROWS, tmp_path / "workers.png")
    with Image.open(tmp_path / "workers.png") as picture:
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(2**20) or ()) > 20


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS[:8]])
def test_what_was_not_measured_is_left_out(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    draw_curve(rows, tmp_path / "workers.png")
    assert (tmp_path / "workers.png").stat().st_size > 1000


def test_a_curve_has_a_name_for_each_kind_that_is_measured() -> None:
    assert worker_curve.KINDS.keys() == KINDS.keys()


def test_importing_the_waiting_worker_changes_nothing_here() -> None:
    assert reading.load_images is not waiting_worker.wait_for_images
    assert reading.load_images.__module__ == reading.__name__


def test_shares_stand_by_processes_and_costs_are_those_of_most_processes() -> None:
    costs = {
        "images": 640,
        "batches": 20,
        "commands_a_batch": 64.0,
        "kilobytes_a_batch": 96.0,
        "redis_milliseconds_a_batch": 0.84,
        "worker_milliseconds_a_batch": 3.36,
    }
    cheaper = {name: value / 2 for name, value in costs.items()} | {"images": 640, "batches": 20}
    rows = [row | (costs if row["processes"] == 128 else cheaper) for row in ROWS]
    shares = make_share_table(rows).splitlines()
    assert shares[2] == "| 1 | 100.0 % | 100.0 % | 100.0 % | 100.0 % |"
    assert shares[-1] == "| 128 | 93.6 % | 93.6 % | 93.6 % | 93.6 % |"
    assert make_share_table(rows[:8]).splitlines()[2] == "| 1 |  | 100.0 % |  | 100.0 % |"
    cost = make_cost_table(rows).splitlines()
    assert len(cost) == 2 + 4
    assert cost[-1].endswith("features in Redis | 64 | 2.0 | 3,000 | 0.8 ms | 3.4 ms |")


def test_the_second_process_stands_beside_that_of_a_pool() -> None:
    table = make_second_table({"images": 20_000, "job": 1.954, "pool": 1.97})
    assert "| jobs | 1.95 × |" in table
    assert "20,000 photographs" in table
