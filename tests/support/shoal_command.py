"""The command as a user runs it: a process with an environment and a home of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from quick import QUICK_ARGUMENTS

PYTHON = sys.executable
RUN_SECONDS = 90
# Commands that submit a job.
SUBMITTING = ("run", "submit")


class Shoal:
    """The command ``shoal``; without ``SHOAL_REDIS_URL`` it works embedded in ``home``.

    Its jobs are quick unless the options of a call say otherwise.
    """

    job_options = QUICK_ARGUMENTS
    python = PYTHON

    def __init__(self, home: Path, **settings: object) -> None:
        outside = {k: v for k, v in os.environ.items() if not k.startswith("SHOAL_")}
        self.home = home
        self.settings = {key: str(value) for key, value in settings.items()}
        # What one command has loaded is not known to the next, unless a test is about that.
        own = {"SHOAL_HOME": str(home), "SHOAL_CACHE_BYTES": "0"}
        self.environment = outside | own | self.settings

    def elsewhere(self, home: Path) -> "Shoal":
        """Return the command with the same settings on another machine."""
        return type(self)(home, **self.settings)

    def words(self, *arguments: object) -> list[str]:
        """Return the words of the command."""
        name, *rest = map(str, arguments)
        return [name, *(self.job_options if name in SUBMITTING else ()), *rest]

    def start(self, *arguments: object, **options: Any) -> "subprocess.Popen[str]":
        """Start the command; by default its output is read by nobody."""
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        command = [self.python, "-m", "shoal", *self.words(*arguments)]
        return subprocess.Popen(command, env=self.environment, text=True, **(quiet | options))

    def run(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end, which is never a traceback."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with self.start(*arguments, **pipes) as process:
            try:
                output, errors = process.communicate(timeout=RUN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert "Traceback" not in output + errors
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def output(self, *arguments: object) -> str:
        """Run the command, which succeeds; return what it prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: object) -> Any:
        """Run the command with ``--json``; return what it prints."""
        return json.loads(self.output(*arguments, "--json"))

    def submit(self, source: Path | str, *options: object) -> str:
        """Submit a folder anew; return the job's id."""
        return self.output("submit", source, "--force", *options).strip()

    def processes(self) -> list[psutil.Process]:
        """Return all processes of this home: commands, workers, their children, servers."""
        return list(self._find_processes())

    def _find_processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                # A server overwrites its environment with its title, which names its socket.
                named = str(self.home) in " ".join(process.cmdline())
                if named or process.environ().get("SHOAL_HOME") == str(self.home):
                    yield process

    def kill_all(self) -> None:
        """End whatever is left of this home."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()


class UserShoal(Shoal):
    """The command as it stands: its jobs have the defaults of Shoal."""

    job_options = ()


@dataclass(frozen=True)
class FinishedRun:
    """A ``shoal run`` that has ended, and what it printed and wrote."""

    shoal: Shoal
    source: Path
    out: Path
    stdout: str
    stderr: str

    @property
    def job_id(self) -> str:
        """Return the id that it told."""
        told: str = re.findall(r"^Job (\w+):", self.stderr, re.MULTILINE)[0]
        return told


@contextmanager
def finished_run(shoal: Shoal, source: Path, out: Path) -> Iterator[FinishedRun]:
    """Run a folder to its end; what is left of the home ends afterwards."""
    done = shoal.run("run", source, "--out", out)
    assert done.returncode == 0, done.stderr
    yield FinishedRun(shoal, source, out, done.stdout, done.stderr)
    shoal.kill_all()
