import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image
from shoal_command import RUN_SECONDS, Shoal
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
    return drawn.decode(errors="surrogateescape").replace("\r\n", "\n")


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


# A title, a colour by one byte of Latin-1 and by UTF-8, a line of its own, an order turned around.
OBEYED = (
    "\x1b]0;owned\x07",
    "\x1b[5;35m",
    "\x9b31m",
    "two\nlines",
    "\u202e",
    "\u2067",
    "caf\udce9",
)
SHOWN = (
    r"\x1b]0;owned\x07",
    r"\x1b[5;35m",
    r"\x9b31m",
    r"two\nlines",
    r"\u202e",
    r"\u2067",
    r"caf\xe9",
)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder in which whatever can have a name has one that a terminal would obey."""
    folder = tmp_path / OBEYED[1]
    folder.mkdir()
    for number, name in enumerate(OBEYED):
        Image.new("RGB", (8, 8), (number * 30, 0, 0)).save(folder / f"{name}.png")
        (folder / f"bad {name}.png").touch()
    (folder / f"{OBEYED[0]}link.png").symlink_to("nowhere")
    return folder


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names that are not UTF-8")
def test_a_terminal_is_shown_what_names_would_have_it_do(embedded: Shoal, hostile: Path) -> None:
    clusters = len(OBEYED)
    drawn = run_on_terminal(embedded, "run", hostile, "--clusters", clusters, "--batch-size", 99)[1]
    (job,) = (status["job_id"] for status in embedded.json("jobs"))
    drawn += run_on_terminal(embedded, "status", job)[1]
    drawn += run_on_terminal(embedded, "jobs")[1]
    drawn += run_on_terminal(embedded, "run", hostile / OBEYED[0])[1]
    drawn += run_on_terminal(embedded, "run", OBEYED[0], OBEYED[4])[1]
    for command in ("result", "failures"):
        listed = run_on_terminal(embedded, command, job)[1]
        assert all(name in listed for name in SHOWN), command
        drawn += listed
    assert [name for name in OBEYED if name in drawn] == []
    assert all(f"such as {name}" in drawn for name in SHOWN[:3])


def test_a_pipe_gets_names_as_they_are(embedded: Shoal, hostile: Path) -> None:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "errors": "surrogateescape"}
    with embedded.start("run", hostile, "--clusters", len(OBEYED), **pipes) as run:
        printed = run.communicate(timeout=RUN_SECONDS)[0]
    assert [name for name in OBEYED if name not in printed] == []
