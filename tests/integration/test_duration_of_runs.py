"""A run that may take minutes: measured and told once, before its workers start."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shoal.producer.cli import duration
from shoal.producer.cli.run import Means, run_folder
from shoal.producer.local.workers import LocalWorkers


@pytest.fixture
def run_digits(
    digits: Path, server_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Runs the digits, each job of which takes minutes by the measure of this test."""
    monkeypatch.setattr(duration, "LONG_SECONDS", 0.0)
    monkeypatch.setenv("SHOAL_HOME", tempfile.mkdtemp(dir=server_directory))
    options: dict[str, object] = {"recipe": None, "features": "hog", "clusters": 3, "force": False}
    options |= {"exclude": (), "column": None}
    return lambda: run_folder([str(digits)], {**options}, out=None, means=Means(1), as_json=True)


def test_the_time_is_told_once_before_workers_start(
    run_digits: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told_before: list[str] = []
    start = LocalWorkers.start

    def note_and_start(workers: LocalWorkers, concurrency: int | None = None) -> None:
        told_before.append(capsys.readouterr().err)
        start(workers, concurrency)

    monkeypatch.setattr(LocalWorkers, "start", note_and_start)
    run_digits()
    printed, told_after = capsys.readouterr()
    assert json.loads(printed)["state"] == "finished"
    job, line = told_before[0].splitlines()
    assert job.startswith("Job ")
    assert line.startswith("About 1 minute for 300 images (")
    assert "About" not in told_after
    run_digits()  # finds the job
    assert "About" not in told_before[1] + capsys.readouterr().err
