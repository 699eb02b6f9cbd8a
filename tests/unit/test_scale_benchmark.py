import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from polling import wait_until
from quick import make_quick_request

from benchmarks import memory_watch, table
from benchmarks.made_up import CLUSTERS, make_images, make_paths
from benchmarks.memory_watch import ROLES, watched
from benchmarks.scale_picture import STAGES, draw_scale
from shoal.worker.stages.loading import reading

ROW: dict[str, Any] = {
    "kind": "photographs",
    "images": 10_000,
    "loading_share": 0.951,
    "finished_share": 0.9,
    **{f"{stage}_seconds": 1.25 for stage in STAGES},
    **{f"{role}_megabytes": 1234 for role in (*ROLES, "redis")},
    "redis_bytes_an_image": 99.6,
    "disk_bytes_an_image": 3072.0,
}
MADE_UP = {key: value for key, value in ROW.items() if "share" not in key} | {"kind": "made up"}


def refuse(path: object, *_: object) -> NoReturn:
    """Load an image, which no made-up one is."""
    raise AssertionError(f"{path} is read")


def test_only_a_worker_of_its_own_makes_images_up() -> None:
    assert reading.load_images is not make_images


def test_made_up_images_are_the_same_whoever_makes_them() -> None:
    request = make_quick_request(features="pixels", image_size=16)
    paths = list(make_paths(1_500).pack())
    assert paths[::1000] == ["000000/IMG_00000000.jpg", "000001/IMG_00001000.jpg"]
    images, again = (make_images(request, paths[1000:], refuse, lambda: None) for _ in range(2))
    np.testing.assert_array_equal(images.pixels, again.pixels)
    np.testing.assert_array_equal(images.digests, again.digests)
    means = images.pixels.mean(axis=(1, 2)).round(-1)
    assert CLUSTERS / 2 < len(np.unique(means, axis=0)) < 10 * CLUSTERS


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_memory_of_a_process_is_seen_by_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_watch, "LOOK_SECONDS", 0.01)
    program = "import sys; taken = bytearray(b'x') * 50_000_000; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "-Q", "shoal.2.batches"], stdin=subprocess.PIPE
    ) as process:
        with watched(process.pid) as peaks:
            wait_until(lambda: peaks["worker"] > 50_000_000)
        process.communicate()
    assert peaks["redis"] > 50_000_000, "it was named as Redis, too"
    assert peaks["worker"] < 100_000_000
    assert peaks["fit"] == 0


def test_the_table_and_the_picture_have_each_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [ROW, ROW | {"images": 100_000}, MADE_UP | {"images": 10**7}]
    monkeypatch.setattr(table, "read", lambda _: rows)
    lines = table.make_scale_table().splitlines()
    assert lines[0].startswith("| images | loading | until the end | submit, s |")
    assert lines[2].startswith("| 10,000 | 95 % | 90 % | 1.2 |")
    assert lines[2].endswith("| 1,234 | 1,234 | 100 | 3,072 |")
    assert lines[4].startswith("| 10,000,000, made up |  |  | 1.2 |")
    draw_scale(rows, tmp_path / "scale.png")
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")
