"""A worker as an operator starts it: a process group that can be lost as a whole."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from polling import wait_until
from shoal_command import PYTHON, Shoal

START_SECONDS = 60
STOP_SECONDS = 20
IDLE_LOOK_SECONDS = 0.5
IDLE_PERCENT = 5

SHOAL_WORKER = (PYTHON, "-m", "shoal", "worker", "--concurrency", "1")
CELERY_WORKER = (
    PYTHON,
    "-m",
    "celery",
    "-A",
    "shoal.worker.app",
    "worker",
    "-c",
    "1",
    "-l",
    "info",
)


class Worker:
    """One worker with one child; it begins to work in the background."""

    def __init__(self, shoal: Shoal, command: tuple[str, ...] = SHOAL_WORKER) -> None:
        shoal.home.mkdir(parents=True, exist_ok=True)
        self.log: Path = shoal.home / "test-worker.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env=shoal.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> "Worker":
        """Return it once it takes work."""
        try:
            self.wait_until_ready()
        except BaseException:
            self.lose()
            raise
        return self

    def wait_until_ready(self) -> None:
        """Wait until it takes work; it may have ended since."""
        wait_until(lambda: self.says(" ready.") or self.has_ended(), START_SECONDS, "a worker")
        assert self.says(" ready."), self.log.read_text()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def says(self, text: str) -> int:
        """Return how often ``text`` stands in its log."""
        return self.log.read_text(errors="replace").count(text)

    def has_ended(self) -> bool:
        """Whether its main process is gone."""
        return self.process.poll() is not None

    def is_idle(self) -> bool:
        """Whether its pool does nothing for half a second; decoding takes a core as it can."""
        return all(child.cpu_percent(IDLE_LOOK_SECONDS) < IDLE_PERCENT for child in self.children())

    def children(self) -> list[psutil.Process]:
        """Return the processes of its pool."""
        return list(psutil.Process(self.process.pid).children())

    def kill_child(self) -> None:
        """Kill the process that does the work, as the kernel does when memory runs out."""
        for child in self.children():
            child.kill()

    def lose(self) -> None:
        """Kill all of its processes at once, as when a machine is lost."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end, and wait; it may have ended."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        finally:
            self.lose()


@contextmanager
def suspended(workers: list[Worker]) -> Iterator[None]:
    """Let workers stand still, whatever they do just now."""
    for worker in workers:
        os.killpg(worker.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            os.killpg(worker.process.pid, signal.SIGCONT)
