import os
from pathlib import Path

import pytest

from shoal.shared.cores import count_cores

V2, QUOTA, PERIOD = "cpu.max", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("files", "n_cores"),
    [
        ({}, 8),
        ({V2: "max 100000\n"}, 8),
        ({V2: "200000 100000\n"}, 2),
        ({V2: "150000 100000\n"}, 2),
        ({V2: "5000 100000\n"}, 1),
        ({V2: "1600000 100000\n"}, 8),
        ({QUOTA: "-1\n", PERIOD: "100000\n"}, 8),
        ({QUOTA: "300000\n", PERIOD: "100000\n"}, 3),
        ({QUOTA: "300000\n"}, 8),
        ({V2: "0 0\n"}, 8),
        ({V2: ""}, 8),
    ],
)
def test_a_containers_quota_limits_the_cores(
    tmp_path: Path, files: dict[str, str], n_cores: int
) -> None:
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert count_cores(tmp_path) == n_cores


def test_a_system_without_affinity_or_quotas_has_all_its_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert count_cores(tmp_path / "none") == 6
