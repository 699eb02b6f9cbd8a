import os
import pty
import select
import time
from pathlib import Path

from shoal_command import Shoal
from worker_process import Worker

TERMINAL = {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}


def run_on_terminal(shoal: Shoal, *arguments: object, seconds: float = 60) -> tuple[int, str]:
    """Run the command on a terminal; return its exit code and all that it drew."""
    ours, theirs = pty.openpty()
    environment = shoal.environment
    shoal.environment = environment | TERMINAL
    try:
        process = shoal.start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs)
    finally:
        shoal.environment = environment
        os.close(theirs)
    drawn = read_terminal(ours, time.monotonic() + seconds)
    return process.wait(30), drawn


def read_terminal(terminal: int, deadline: float) -> str:
    """Return what is drawn until the last process has closed the terminal."""
    drawn = b""
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux's way to say that nobody has it open any more
            part = b""
        if not part:
            break
        drawn += part
    os.close(terminal)
    return drawn.decode()


def test_terminal_shows_a_bar_with_stage_images_and_rate(
    shoal: Shoal, workers: list[Worker], slow_photographs: Path
) -> None:
    code, drawn = run_on_terminal(shoal, "run", slow_photographs, "--batch-size", 6, "--force")
    assert code == 0
    assert "━" in drawn
    assert "loading" in drawn
    assert "120/120" in drawn
    assert "/s" in drawn
    assert " left" in drawn
    assert "Traceback" not in drawn


def test_elsewhere_progress_is_plain_lines(
    shoal: Shoal, workers: list[Worker], slow_photographs: Path
) -> None:
    done = shoal.run("run", slow_photographs, "--batch-size", 6, "--force")
    assert "\x1b" not in done.stdout + done.stderr
    assert "loading: " in done.stderr
    assert "of 120 images" in done.stderr
    assert "images/s" in done.stderr
    assert "finished: 120 of 120 images" in done.stderr
