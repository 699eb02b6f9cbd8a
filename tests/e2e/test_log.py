"""The log of a worker: one line an event, and a job can be followed by its id."""

from pathlib import Path

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
    _banner, *lines = log.read_text().split("at=")
    assert [line for line in lines if "\n" in line.rstrip("\n")] == []
    assert all(" level=" in line and " process=" in line for line in lines)
    assert all(" worker=worker-" in line for line in lines)
