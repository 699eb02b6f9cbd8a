"""Standard streams that are closed or full, and what Redis answers beside results."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from shoal_command import PYTHON, FinishedRun, Shoal


def call(shoal: Shoal, redirection: str, *words: object) -> "subprocess.CompletedProcess[str]":
    """Run a command in a shell that redirects its streams."""
    script = f'exec "$0" -m shoal "$@" {redirection}'
    return subprocess.run(
        ["/bin/sh", "-c", script, PYTHON, *shoal.words(*words)],
        env=shoal.environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_run_with_closed_streams_does_its_work(
    embedded_run: FinishedRun, tmp_path: Path, closed: str
) -> None:
    out = tmp_path / "out"
    done = call(embedded_run.shoal, closed, "run", embedded_run.source, "--out", out)
    assert done.returncode == 0
    labels = (out / "labels.csv").read_bytes()
    assert labels == (embedded_run.out / "labels.csv").read_bytes()


@pytest.mark.parametrize("command", ["result", "failures", "status"])
def test_a_closed_standard_output_is_no_error(embedded_run: FinishedRun, command: str) -> None:
    done = call(embedded_run.shoal, ">&-", command, embedded_run.job_id)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
@pytest.mark.parametrize("command", ["result", "failures", "status", "report -o -"])
def test_a_full_standard_output_is_told_in_a_line(embedded_run: FinishedRun, command: str) -> None:
    name, *options = command.split()
    done = call(embedded_run.shoal, "> /dev/full", name, embedded_run.job_id, *options)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.endswith("No space left on device\n")


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe that nobody reads."""
    reads, writes = os.pipe()
    os.close(reads)
    yield writes
    os.close(writes)


@pytest.mark.parametrize(
    "command",
    ["result JOB", "result JOB --format json", "failures JOB --json", "jobs", "--help", "jobs -h"],
)
def test_a_command_whose_output_nobody_reads_ends_quietly(
    embedded_run: FinishedRun, unread: int, command: str
) -> None:
    words = command.replace("JOB", embedded_run.job_id).split()
    pipes = {"stdout": unread, "stderr": subprocess.PIPE}
    with embedded_run.shoal.start(*words, **pipes) as process:
        errors = process.communicate(timeout=90)[1]
    assert (process.returncode, errors) == (0, "")


def test_a_run_whose_progress_nobody_reads_does_its_work(
    embedded_run: FinishedRun, tmp_path: Path, unread: int
) -> None:
    out = tmp_path / "out"
    source, shoal = embedded_run.source, embedded_run.shoal
    with shoal.start("run", source, "--out", out, stdout=unread, stderr=unread) as process:
        assert process.wait(90) == 0
    assert (out / "job.json").exists()


def test_what_redis_refuses_is_told_in_a_line(embedded_run: FinishedRun) -> None:
    home = embedded_run.shoal.home
    with embedded_run.shoal.start("wait", "000000000000"):
        pass
    shoal = Shoal(home, SHOAL_REDIS_URL=f"unix://{home}/valkey.sock?db=99")
    holder = embedded_run.shoal.start("run", embedded_run.source, "--force")
    try:
        done = shoal.run("jobs")
    finally:
        holder.terminate()
        holder.wait()
    assert (done.returncode, done.stdout) == (1, "")
    assert "Redis refused a command: " in done.stderr
