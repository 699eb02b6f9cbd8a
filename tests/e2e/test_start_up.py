"""What a command imports before it answers; times are for benchmarks."""

import subprocess
from pathlib import Path

import pytest
from shoal_command import PYTHON, FinishedRun, Shoal

SLOW = {"numpy", "scipy", "sklearn", "skimage", "matplotlib", "PIL", "celery", "kombu"}


def find_imported(shoal: Shoal, *arguments: str) -> set[str]:
    """Return the packages that a command imports."""
    return {name.partition(".")[0] for name in find_modules(shoal, *arguments)}


def find_modules(shoal: Shoal, *arguments: str) -> set[str]:
    """Return the modules that a command imports."""
    done = subprocess.run(
        [PYTHON, "-X", "importtime", "-m", "shoal", *arguments],
        env=shoal.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize("command", ["--help", "--version", "status", "jobs"])
def test_quick_commands_import_nothing_slow(embedded_run: FinishedRun, command: str) -> None:
    arguments = [command, embedded_run.job_id] if command == "status" else [command]
    imported = find_imported(embedded_run.shoal, *arguments)
    assert "click" in imported
    assert not imported & SLOW


def test_no_command_pays_for_the_extra_of_traces(embedded_run: FinishedRun) -> None:
    modules = find_modules(embedded_run.shoal, "status", embedded_run.job_id)
    assert "redis.observability.providers" in modules  # which would import it
    assert not {name for name in modules if name.startswith("opentelemetry.sdk.metrics.")}


@pytest.mark.parametrize("command", ["status", "search", "organize", "duplicates", "assign"])
def test_the_help_of_a_command_imports_no_more_than_the_list_of_all(
    tmp_path: Path, command: str
) -> None:
    imported = find_imported(Shoal(tmp_path / "home"), command, "--help")
    assert not imported & {*SLOW, "redis"}
