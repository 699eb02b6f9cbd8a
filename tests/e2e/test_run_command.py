import csv
import io
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from polling import wait_until
from shoal_command import PYTHON, FinishedRun, Shoal
from worker_process import Worker

from shoal.shared.cores import count_cores
from shoal.shared.findings import PlotName
from shoal.shared.tasks import BATCHES

PLOTS = set(PlotName) - {PlotName.CHOICE}  # the number of clusters was given

END_SECONDS = 30
INTERRUPTED = 128 + signal.SIGINT


def read_labels(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_labels_name_every_image_in_manifest_order(embedded_run: FinishedRun) -> None:
    rows = read_labels(embedded_run.out / "labels.csv")
    assert list(rows[0]) == ["path", "label", "distance", "pc1", "pc2", "x", "y", "far", "name"]
    images = [path.relative_to(embedded_run.source) for path in embedded_run.source.rglob("*.jpg")]
    assert [row["path"] for row in rows] == sorted(map(str, images))


def test_cluster_0_is_the_largest(embedded_run: FinishedRun) -> None:
    labels = [int(row["label"]) for row in read_labels(embedded_run.out / "labels.csv")]
    sizes = np.bincount(labels)
    assert len(sizes) == 5
    assert list(sizes) == sorted(sizes, reverse=True)
    assert embedded_run.stdout.startswith(f"cluster 0 {sizes[0]:>10,} images  such as 000/")


def test_no_failures_leave_a_table_without_rows(embedded_run: FinishedRun) -> None:
    assert (embedded_run.out / "failures.csv").read_text() == "path,reason,detail\n"


@pytest.mark.parametrize("name", sorted(PLOTS))
def test_plots_are_png_images(embedded_run: FinishedRun, name: str) -> None:
    with Image.open(embedded_run.out / "plots" / f"{name}.png") as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 100


def test_nothing_else_is_written(embedded_run: FinishedRun) -> None:
    names = {path.name for path in embedded_run.out.iterdir()}
    files = {"labels.csv", "failures.csv", "duplicates.csv", "report.html", "model.npz", "job.json"}
    assert names == files | {"plots"}
    assert {path.stem for path in (embedded_run.out / "plots").iterdir()} == PLOTS


def test_the_report_is_the_one_that_its_command_prints(embedded_run: FinishedRun) -> None:
    report = (embedded_run.out / "report.html").read_text()
    assert "120 images in 5 clusters" in report
    assert embedded_run.shoal.output("report", embedded_run.job_id, "-o", "-") == report


def test_model_loads_without_pickle(embedded_run: FinishedRun) -> None:
    with np.load(embedded_run.out / "model.npz", allow_pickle=False) as model:
        assert all(
            np.isfinite(model[name]).all() for name in model if model[name].dtype.kind == "f"
        )


def test_job_file_tells_status_and_summary(embedded_run: FinishedRun) -> None:
    job = json.loads((embedded_run.out / "job.json").read_text())
    assert job["status"]["job_id"] == embedded_run.job_id
    assert job["status"]["state"] == "finished"
    assert job["status"]["images"] == {"total": 120, "loaded": 120, "failed": 0, "known": 0}
    assert sum(cluster["size"] for cluster in job["summary"]["clusters"]) == 120


def test_own_workers_are_not_asked_for(embedded_run: FinishedRun) -> None:
    assert "no worker is running" not in embedded_run.stderr


def test_run_leaves_no_process_behind(embedded_run: FinishedRun) -> None:
    wait_until(lambda: not embedded_run.shoal.processes(), 30, "no process is left")


def test_a_later_command_finds_the_job(embedded_run: FinishedRun, tmp_path: Path) -> None:
    shoal, job = embedded_run.shoal, embedded_run.job_id
    assert [listed["job_id"] for listed in shoal.json("jobs")] == [job]
    assert shoal.json("status", job)["state"] == "finished"
    assert shoal.output("result", job) == (embedded_run.out / "labels.csv").read_text()
    assert shoal.output("failures", job) == "path,reason,detail\n"
    plot = tmp_path / "scatter.png"
    shoal.output("plot", job, "scatter", "-o", plot)
    assert plot.read_bytes() == (embedded_run.out / "plots" / "scatter.png").read_bytes()


def test_features_are_written_for_other_programs(embedded_run: FinishedRun, tmp_path: Path) -> None:
    shoal, job = embedded_run.shoal, embedded_run.job_id
    out = tmp_path / "x.npy"
    assert shoal.output("features", job, "-o", out) == f"{out}\n{tmp_path / 'x.paths.csv'}\n"
    assert len(np.load(out)) == 120
    assert shoal.output("features", job, "--coordinates", "-o", tmp_path / "y.parquet")
    for words, remedy in (
        (("-o", out), "`--force` replaces it"),
        (("-o", tmp_path / "x.txt"), "give --format, too"),
    ):
        done = shoal.run("features", job, *words)
        assert (done.returncode, remedy in done.stderr) == (2, True)


def test_labels_come_as_json_and_parquet_too(embedded_run: FinishedRun, tmp_path: Path) -> None:
    from pyarrow import parquet

    shoal, job = embedded_run.shoal, embedded_run.job_id
    rows = json.loads(shoal.output("result", job, "--format", "json"))
    shoal.output("result", job, "--format", "parquet", "-o", tmp_path / "labels.parquet")
    assert parquet.read_table(tmp_path / "labels.parquet").num_rows == len(rows) == 120
    shoal.output("result", job, "--neighbors", 3, "-o", tmp_path / "near.parquet")
    near = parquet.read_table(tmp_path / "near.parquet")["__neighbors"].to_pylist()
    assert [len(row["ids"]) for row in near] == [4] * 120
    assert shoal.run("result", job, "--neighbors", 3).returncode == 2
    table = csv.DictReader(io.StringIO(shoal.output("result", job)))
    assert [row["label"] for row in table] == [str(row["label"]) for row in rows]


def test_the_last_command_takes_the_server_with_it(embedded_run: FinishedRun) -> None:
    embedded_run.shoal.output("jobs")
    wait_until(lambda: not embedded_run.shoal.processes(), 30, "the server has ended")


def count_pool(shoal: Shoal, queue: str) -> int:
    """Return how many processes a worker's main process has for a queue."""
    alike = [p for p in shoal.processes() if queue in p.cmdline()]
    return sum(process.ppid() in {p.pid for p in alike} for process in alike)


@pytest.fixture
def interrupted_run(
    embedded: Shoal, slow_photographs: Path
) -> Callable[[signal.Signals], subprocess.Popen[str]]:
    """Starts a run, sends it a signal in mid-job, and waits until it has ended."""

    def interrupt(number: signal.Signals) -> subprocess.Popen[str]:
        log = embedded.home.parent / "errors.log"
        with log.open("w") as errors:
            run = embedded.start("run", slow_photographs, "--batch-size", 6, stderr=errors)
        wait_until(lambda: "loading: " in log.read_text(), 60, "images are loaded")
        assert count_pool(embedded, BATCHES) == count_cores()
        run.send_signal(number)
        run.wait(END_SECONDS)
        run.stderr = log.open()
        return run

    return interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_cancels_its_job_and_leaves_no_process(
    embedded: Shoal,
    interrupted_run: Callable[[signal.Signals], subprocess.Popen[str]],
    number: signal.Signals,
) -> None:
    run = interrupted_run(number)
    assert run.returncode == INTERRUPTED
    wait_until(lambda: not embedded.processes(), END_SECONDS, "no process is left")
    [job] = embedded.json("jobs")
    assert job["state"] == "cancelled"
    assert run.stderr
    *progress, told = run.stderr.read().splitlines()
    assert told.endswith(f"`shoal retry {job['job_id']}` goes on.")
    assert "Traceback" not in "".join(progress)


@pytest.mark.parametrize("command", [["wait"], ["status", "--watch"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_stops_waiting_is_told_that_the_job_goes_on(
    shoal: Shoal, photographs: Path, command: list[str], number: signal.Signals
) -> None:
    job = shoal.submit(photographs)
    with shoal.start(*command, job, stderr=subprocess.PIPE) as waiting:
        assert waiting.stderr
        assert waiting.stderr.readline().startswith("queued")
        waiting.send_signal(number)
        told = waiting.stderr.read()
    assert waiting.returncode == INTERRUPTED
    assert f"Job {job} was not: `shoal wait {job}` waits on" in told
    assert shoal.json("cancel", job)["state"] == "cancelled"


@pytest.mark.soak
def test_killed_run_leaves_no_process_and_a_worker_finishes_its_job(
    embedded: Shoal, interrupted_run: Callable[[signal.Signals], subprocess.Popen[str]]
) -> None:
    run = interrupted_run(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    wait_until(lambda: not embedded.processes(), END_SECONDS, "no process is left")
    worker = Worker(embedded)
    try:
        [job] = embedded.json("jobs")
        assert embedded.json("wait", job["job_id"])["images"]["loaded"] == 120
    finally:
        os.kill(worker.process.pid, signal.SIGTERM)
    wait_until(lambda: worker.has_ended() and not embedded.processes(), END_SECONDS, "no process")


def test_the_run_after_a_killed_one_goes_on_with_its_job(
    embedded: Shoal,
    interrupted_run: Callable[[signal.Signals], subprocess.Popen[str]],
    slow_photographs: Path,
) -> None:
    interrupted_run(signal.SIGKILL)
    wait_until(lambda: not embedded.processes(), END_SECONDS, "no process is left")
    [job] = embedded.json("jobs")
    again = embedded.run("run", slow_photographs, "--batch-size", 6)
    assert again.returncode == 0, again.stderr
    [finished] = embedded.json("jobs")
    assert finished["job_id"] == job["job_id"]
    assert finished["images"]["loaded"] == 120
    assert job["images"]["loaded"] < 120


def find_workers(shoal: Shoal) -> list[psutil.Process]:
    """Return the main processes of a run's own workers."""
    return [
        process
        for process in shoal.processes()
        if "shoal.worker" in process.cmdline() and process.parent().cmdline() != process.cmdline()
    ]


def test_run_interrupted_while_it_submits_leaves_no_job_to_do(
    embedded: Shoal, photographs: Path
) -> None:
    run = embedded.start("run", photographs)
    wait_until(lambda: find_workers(embedded), 30, "workers are started")
    run.send_signal(signal.SIGINT)
    assert run.wait(END_SECONDS) == INTERRUPTED
    assert {job["state"] for job in embedded.json("jobs")} <= {"cancelled"}


def test_run_whose_workers_died_says_so_and_ends(embedded: Shoal, slow_photographs: Path) -> None:
    run = embedded.start("run", slow_photographs, stderr=subprocess.PIPE)
    for worker in wait_until(lambda: find_workers(embedded), 30, "workers are started"):
        worker.kill()
    _, errors = run.communicate(timeout=END_SECONDS)
    assert run.returncode == 1
    assert f"{embedded.home / 'worker.log'} says why" in errors
    assert "Traceback" not in errors


def test_commands_take_the_beginning_of_an_id_and_the_last_job(embedded_run: FinishedRun) -> None:
    shoal, job = embedded_run.shoal, embedded_run.job_id
    assert shoal.output("submit", embedded_run.source).strip() == job
    for name in (job[:11], "last"):
        assert shoal.json("status", name)["job_id"] == job
        assert shoal.output("result", name) == shoal.output("result", job)


def test_status_watches_a_job_to_its_end(embedded_run: FinishedRun) -> None:
    shoal, job = embedded_run.shoal, embedded_run.job_id
    assert shoal.json("status", job, "--watch")["state"] == "finished"
    assert shoal.output("status", job, "--watch").startswith(f"{job}  finished: 120 of 120 images")


def test_results_of_an_old_job_are_the_same_files(
    embedded_run: FinishedRun, tmp_path: Path
) -> None:
    embedded_run.shoal.output("result", embedded_run.job_id, "--out", tmp_path / "again")
    files = [path.relative_to(embedded_run.out) for path in embedded_run.out.rglob("*.*")]
    assert len(files) == 6 + len(PLOTS)
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (embedded_run.out / file).read_bytes()


def test_a_plot_goes_to_standard_output(embedded_run: FinishedRun) -> None:
    command = ("plot", embedded_run.job_id, "sizes", "-o", "-")
    with subprocess.Popen(
        [PYTHON, "-m", "shoal", *command],
        env=embedded_run.shoal.environment,
        stdout=subprocess.PIPE,
    ) as process:
        png, _ = process.communicate(timeout=END_SECONDS)
    assert png == (embedded_run.out / "plots" / "sizes.png").read_bytes()


def test_names_that_are_not_utf8_are_printed_as_they_are(
    embedded: Shoal, photographs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    for path in sorted(photographs.rglob("*.jpg"))[:6]:
        (folder / f"\udce9{path.name}").write_bytes(path.read_bytes())
    embedded.environment["PYTHONIOENCODING"] = "utf-8:strict"
    for command in (["run", folder, "--clusters", 2], ["jobs"]):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with embedded.start(*command, **pipes, errors="surrogateescape") as process:
            output, errors = process.communicate(timeout=END_SECONDS * 2)
        assert process.returncode == 0, errors
        assert "\udce9" in output


TRAPS = ("shoal", "shared", "worker", "producer", "celery", "redis", "kombu", "numpy", "click")


@pytest.fixture
def trapped_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: it has modules of the names of ours, which nobody may run."""
    directory = tmp_path / "trapped"
    directory.mkdir()
    for name in TRAPS:
        (directory / name).mkdir()
        (directory / name / "__init__.py").write_text("open('sprung', 'w').close(); raise OSError")
    monkeypatch.chdir(directory)
    return directory


# As the console script: Python itself does not look in the current directory.
SAFE_SHOAL = (PYTHON, "-P", "-m", "shoal")


def test_what_lies_in_the_current_directory_is_not_run(
    embedded: Shoal, photographs: Path, trapped_directory: Path
) -> None:
    command = [*SAFE_SHOAL, *embedded.words("run", photographs)]
    done = subprocess.run(command, env=embedded.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with Worker(embedded, (*SAFE_SHOAL, "worker", "--concurrency", "1")) as worker:
        assert not worker.says("Error")
    assert not (trapped_directory / "sprung").exists()


SNIPPET = """
import sys
import shared  # the script's own
from shoal import Client

job = Client().submit(sys.argv[1], features="pixels")
job.wait()
print(len(list(job.labels())))
"""


def test_a_script_has_modules_of_its_own_and_needs_a_client_and_nothing_else(
    embedded: Shoal, photographs: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SNIPPET)
    for name in ("producer", "shared", "worker"):
        (tmp_path / f"{name}.py").write_text("")
    done = subprocess.run(
        [PYTHON, script, photographs],
        env=embedded.environment,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert (done.stdout, done.stderr) == ("120\n", "")
    wait_until(lambda: not embedded.processes(), END_SECONDS, "no process is left")


def test_submit_starts_no_workers(embedded: Shoal, photographs: Path) -> None:
    done = embedded.run("submit", photographs)
    assert "No worker is running: start one with `shoal worker`" in done.stderr
    wait_until(lambda: not embedded.processes(), END_SECONDS, "no process is left")
    assert not (embedded.home / "worker.log").exists()


def test_concurrency_without_workers_of_its_own_is_said_to_do_nothing(
    shoal: Shoal, workers: list[Worker], photographs: Path
) -> None:
    done = shoal.run("run", photographs, "--concurrency", 3)
    assert done.returncode == 0
    assert "--concurrency has no effect" in done.stderr
