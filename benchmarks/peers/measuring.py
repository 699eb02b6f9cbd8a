"""A program with all processes that it starts: how long it takes, and how much memory.

Linux only: processes that outlive their parent become children of this one, and memory that
processes share counts once, by each one's proportional share.
"""

import ctypes
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
SAMPLE_SECONDS = 0.1  # a sample of some ten processes takes a few milliseconds
LEAVE_SECONDS = 10


@dataclass(frozen=True)
class Run:
    """A run of a program.

    Attributes:
        seconds: From its start to its end.
        peak_bytes: Of all its processes together, at most.
        exit_code: None where it did not end in time and was killed.
        output: What it printed.
        messages: What it wrote to standard error.
    """

    seconds: float
    peak_bytes: int
    exit_code: int | None
    output: str
    messages: str


@contextmanager
def adopted_orphans() -> Iterator[None]:
    """Be the parent of processes whose parent ends, so that none is missed."""
    _adopt_orphans(True)
    try:
        yield
    finally:
        _adopt_orphans(False)


def _adopt_orphans(adopts: bool) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(adopts), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot adopt orphaned processes")


def run_program(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], timeout_seconds: float
) -> Run:
    """Run a program to its end and kill what it leaves running.

    Args:
        command: The program with its arguments.
        directory: Where it runs; it is made, and holds what the program prints.
        environment: All of its environment variables.
        timeout_seconds: After which it is killed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    output, messages = directory / "output.txt", directory / "messages.txt"
    others = set(psutil.Process().children())
    with output.open("w") as out, messages.open("w") as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=out, stderr=err, text=True
        )
        memory = _Memory(others)
        try:
            exit_code: int | None = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            exit_code = None
        seconds = time.perf_counter() - started
        peak_bytes = memory.stop()
        _kill(_find_processes(others))
        process.wait()
    return Run(seconds, peak_bytes, exit_code, output.read_text(), messages.read_text())


class _Memory:
    """Samples the memory of processes, in a thread, until it is stopped."""

    def __init__(self, others: set[psutil.Process]) -> None:
        self._others = others
        self._stopped = threading.Event()
        self._peak_bytes = 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            self._take_sample()

    def _take_sample(self) -> None:
        used = sum(map(_proportional_bytes, _find_processes(self._others)))
        self._peak_bytes = max(self._peak_bytes, used)

    def stop(self) -> int:
        """Stop, and return the largest sum seen, in bytes; what still runs counts, too."""
        self._stopped.set()
        self._thread.join()
        self._take_sample()
        return self._peak_bytes


def _find_processes(others: set[psutil.Process]) -> list[psutil.Process]:
    """Return the processes below this one, but for ``others`` and what is below them."""
    found = []
    for child in psutil.Process().children():
        if child not in others:
            found.append(child)
            try:
                found += child.children(recursive=True)
            except psutil.NoSuchProcess:
                continue
    return found


def _proportional_bytes(process: psutil.Process) -> int:
    """Return the memory of a process, what it shares by its share; 0 if it is gone."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def _kill(processes: list[psutil.Process]) -> None:
    """Kill processes and wait until they are gone."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, LEAVE_SECONDS)
