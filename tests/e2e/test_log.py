"""Logs: one line an event, as key=value or JSON, and a job can be followed by its id."""

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
from polling import wait_until
from shoal_command import Shoal
from worker_process import Worker


def test_one_job_can_be_followed_through_the_logs_by_its_id(
    shoal: Shoal, workers: list[Worker], photographs: Path
) -> None:
    job = shoal.submit(photographs, "--batch-size", 60)
    shoal.output("wait", job)
    lines = [line for worker in workers for line in worker.log.read_text().splitlines()]
    events = sorted(line.split("msg=")[1] for line in lines if f"job={job}" in line)
    of_job = f"job={job} stage"
    expected = [
        *(f"batch {of_job}=labelling batch={batch} attempt=1 commit=committed" for batch in (0, 1)),
        *(
            f"batch {of_job}=loading batch={batch} attempt=1 loaded=60 failed=0 known=0"
            " commit=committed"
            for batch in (0, 1)
        ),
        *(f"callback {of_job}={state} attempt=1" for state in ("finishing", "fitting")),
    ]
    assert [event.partition(" seconds=")[0] for event in events] == expected


def test_whatever_a_worker_logs_is_one_line_with_time_level_and_process(
    workers: list[Worker],
) -> None:
    workers[0].kill_child()
    log = workers[0].log
    wait_until(lambda: "signal 9" in log.read_text(), 60, "the lost process in the log")
    # A warning that the worker belongs to root comes before Celery's banner, and all else after it.
    _before, _, after = log.read_text().partition("[tasks]")
    _tasks, *lines = re.split(r"^at=", after, flags=re.MULTILINE)
    assert [line for line in lines if "\n" in line.rstrip("\n")] == []
    assert all(" level=" in line and " process=" in line for line in lines)
    assert all(" worker=worker-" in line for line in lines)


def read_objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_with_json_each_line_of_workers_and_of_the_page_is_an_object(
    embedded: Shoal, photographs: Path
) -> None:
    json_shoal = Shoal(embedded.home, SHOAL_LOG_FORMAT="json")
    job = json_shoal.json("run", photographs, "--batch-size", 60)["job_id"]
    events = read_objects((embedded.home / "worker.log").read_text())
    batches = [event for event in events if event["msg"] == "batch"]
    assert {event["job"] for event in batches} == {job}
    assert sorted(event["batch"] for event in batches) == [0, 0, 1, 1]
    assert all(event["worker"].startswith("shoal.") for event in events)

    options = ("--port", 0, "--access-log")
    with json_shoal.start("serve", *options, stderr=subprocess.PIPE) as process:
        assert process.stderr
        (began,) = read_objects(process.stderr.readline())
        assert httpx.get(f"{began['msg'].split()[-1]}healthz").status_code == 200
        process.send_signal(signal.SIGTERM)
        requests = read_objects(process.stderr.read())
    assert [(event["path"], event["status"]) for event in requests] == [("/healthz", 200)]


def test_with_json_a_worker_that_cannot_start_says_why_in_an_object(
    embedded: Shoal, photographs: Path
) -> None:
    (embedded.home.parent / "model.onnx").write_bytes(b"none")
    model = {"SHOAL_EMBEDDING_MODEL": embedded.home.parent / "model.onnx"}
    done = Shoal(embedded.home, SHOAL_LOG_FORMAT="json", **model).run("run", photographs)
    reason = "model.onnx cannot be used"
    assert done.returncode == 1
    assert reason in done.stderr
    assert '"msg"' not in done.stderr
    events = read_objects((embedded.home / "worker.log").read_text())
    assert [event["level"] for event in events if reason in event["msg"]] == ["CRITICAL"]
