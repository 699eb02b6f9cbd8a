"""The beginning of a run: workers start first, and are gone whatever comes of the rest."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from polling import wait_until
from shoal_command import PYTHON, FinishedRun, Shoal
from worker_process import Worker

from shoal.shared.tasks import BATCHES, CALLBACKS

END_SECONDS = 30
INTERRUPTED = 128 + signal.SIGINT
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def find_queues(shoal: Shoal) -> set[str]:
    """Return the queues for which workers run."""
    words = {word for process in shoal.processes() for word in process.cmdline()}
    return words & {BATCHES, CALLBACKS}


@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_that_is_interrupted_as_soon_as_it_has_workers_leaves_nothing(
    embedded: Shoal, photographs: Path, number: signal.Signals
) -> None:
    with embedded.start("run", photographs, stderr=subprocess.PIPE) as run:
        wait_until(lambda: find_queues(embedded), END_SECONDS, "workers are started")
        run.send_signal(number)
        assert run.stderr
        errors = run.stderr.read()
    assert (run.returncode, "Traceback" in errors) == (INTERRUPTED, False), errors
    wait_until(lambda: not embedded.processes(), END_SECONDS, "no process is left")


def test_a_run_that_is_killed_as_soon_as_it_has_workers_leaves_no_process(
    embedded: Shoal, photographs: Path
) -> None:
    with embedded.start("run", photographs) as run:
        wait_until(lambda: find_queues(embedded), END_SECONDS, "workers are started")
        run.kill()
    wait_until(lambda: not embedded.processes(), END_SECONDS, "no process is left")


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_a_folder_that_cannot_be_run_leaves_no_process(
    embedded: Shoal, tmp_path: Path, folder: str
) -> None:
    (tmp_path / "empty").mkdir()
    done = embedded.run("run", tmp_path / folder)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    wait_until(lambda: not embedded.processes(), END_SECONDS, "no process is left")


def test_workers_leave_no_temporary_files(
    embedded: Shoal, photographs: Path, tmp_path: Path
) -> None:
    (tmp_path / "temporary").mkdir()
    embedded.environment["TMPDIR"] = str(tmp_path / "temporary")
    embedded.output("run", photographs)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_job_that_is_found_needs_no_workers(embedded: Shoal, photographs: Path) -> None:
    first, second = (embedded.json("run", photographs)["job_id"] for _ in range(2))
    assert first == second
    wait_until(lambda: not embedded.processes(), END_SECONDS, "no process is left")


def test_a_run_gives_the_bytes_that_any_worker_gives(
    embedded_run: FinishedRun, shoal: Shoal, workers: list[Worker], tmp_path: Path
) -> None:
    shoal.output("run", embedded_run.source, "--out", tmp_path / "out")
    for name in ("labels.csv", "failures.csv", "duplicates.csv", "plots/scatter.png"):
        written = (tmp_path / "out" / name).read_bytes()
        assert written == (embedded_run.out / name).read_bytes()


# Stands for what is being imported when the interrupt comes. Data classes run a text, too.
INTERRUPTED_IMPORT = """
exec("import os, signal; os.kill(os.getpid(), signal.SIGINT)\\nfor _ in range(10**6): pass")
"""


@pytest.mark.parametrize(
    ("module", "code", "told"),
    [("click", -signal.SIGINT, ""), ("redis", INTERRUPTED, "Interrupted.\n")],
)
def test_an_interrupt_of_an_import_is_no_traceback(
    tmp_path: Path, module: str, code: int, told: str
) -> None:
    (tmp_path / f"{module}.py").write_text(INTERRUPTED_IMPORT)
    done = subprocess.run(
        [PYTHON, "-m", "shoal", "jobs"],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "SHOAL_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", told)
