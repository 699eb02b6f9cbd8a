import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest
from shoal_command import Shoal
from worker_process import CELERY_WORKER, SHOAL_WORKER, STOP_SECONDS, Worker


def hang_up(worker: Worker) -> None:
    """Do what a terminal does that closes: its processes get the signal at once."""
    os.killpg(worker.process.pid, signal.SIGHUP)


@pytest.mark.parametrize("command", [SHOAL_WORKER, CELERY_WORKER])
def test_worker_ends_orderly_when_its_terminal_closes(
    shoal: Shoal, tmp_path: Path, command: tuple[str, ...]
) -> None:
    with Worker(shoal.elsewhere(tmp_path / "worker"), command) as worker:
        hang_up(worker)
        assert worker.process.wait(STOP_SECONDS) == 0
    assert worker.says("Warm shutdown")
    assert not worker.says("Traceback")


def test_worker_under_nohup_goes_on_when_its_terminal_closes(
    shoal: Shoal, photographs: Path, tmp_path: Path
) -> None:
    command = ("nohup", *SHOAL_WORKER)
    with Worker(shoal.elsewhere(tmp_path / "worker"), command) as worker:
        children = worker.children()
        hang_up(worker)
        assert shoal.json("wait", shoal.submit(photographs))["state"] == "finished"
        assert worker.children() == children


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_page_ends_orderly_by_each_signal_while_a_browser_follows_events(
    shoal: Shoal, number: signal.Signals
) -> None:
    with shoal.start("serve", "--port", 0, stderr=subprocess.PIPE) as serving:
        assert serving.stderr
        url = serving.stderr.readline().split()[-1]
        with httpx.stream("GET", f"{url}api/v1/events", timeout=STOP_SECONDS) as events:
            next(events.iter_lines())
            serving.send_signal(number)
            told = serving.stderr.read()
            assert serving.wait(STOP_SECONDS) == 0
    assert told == ""
