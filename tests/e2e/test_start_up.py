"""What a command imports before it answers; times are for benchmarks."""

import subprocess

import pytest
from shoal_command import PYTHON, FinishedRun, Shoal

SLOW = {"numpy", "scipy", "sklearn", "skimage", "matplotlib", "PIL", "celery", "kombu"}


def find_imported(shoal: Shoal, *arguments: str) -> set[str]:
    """Return the packages that a command imports."""
    done = subprocess.run(
        [PYTHON, "-X", "importtime", "-m", "shoal", *arguments],
        env=shoal.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("command", ["--help", "--version", "status", "jobs"])
def test_quick_commands_import_nothing_slow(embedded_run: FinishedRun, command: str) -> None:
    arguments = [command, embedded_run.job_id] if command == "status" else [command]
    # Work that another test lost is sent again now, for which Celery is needed.
    embedded_run.shoal.output("status", embedded_run.job_id)
    imported = find_imported(embedded_run.shoal, *arguments)
    assert "click" in imported
    assert not imported & SLOW
