from pathlib import Path

import pytest
from PIL import Image

from benchmarks import waiting_worker, worker_curve
from benchmarks.worker_curve import draw_curve
from shoal.worker.stages.loading import reading

ROWS = [
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
def test_what_was_not_measured_is_left_out(rows: list[dict[str, object]], tmp_path: Path) -> None:
    draw_curve(rows, tmp_path / "workers.png")
    assert (tmp_path / "workers.png").stat().st_size > 1000


def test_a_curve_has_a_name_for_each_kind_that_is_measured() -> None:
    from benchmarks.workers import KINDS

    assert worker_curve.KINDS.keys() == KINDS.keys()


def test_importing_the_waiting_worker_changes_nothing_here() -> None:
    assert reading.load_images is not waiting_worker.wait_for_images
    assert reading.load_images.__module__ == reading.__name__
