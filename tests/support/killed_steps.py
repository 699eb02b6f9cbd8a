"""Runs and undoings of steps in processes that die by SIGKILL before a chosen operation.

As a program it forks one process for each line of JSON that it reads, and answers with a line of
what became of it: to start Python anew for each would take most of the time.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shoal.producer.organizing import Header, Mode, Step, run_steps, transfer, undo
from shoal.producer.organizing.journal import Journal

# What the interpreter tells before it is done. Opening is one: a new file may stay empty.
TOLD = {"open", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir"}

# Who was killed before a journal was begun has done nothing.
NOTHING_YET = "there is nothing to undo"


@dataclass(frozen=True)
class Order:
    """What a process shall do, and before which of its operations it dies; 0 is none."""

    directory: str
    source: str
    mode: str
    steps: list[tuple[str, str, int]]
    kill_at: int = 0
    is_undo: bool = False


class Killing:
    """Counts the operations of this process, and ends it before one of them."""

    def __init__(self, kill_at: int) -> None:
        self.kill_at = kill_at
        self.count = 0

    def operation(self, before: Callable[[], object] = lambda: None) -> None:
        self.count += 1
        if self.count == self.kill_at:
            before()
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        sys.addaudithook(lambda name, _: self.operation() if name in TOLD else None)
        for module, name in ((os, "fsync"), (transfer, "_rename_at_once"), (shutil, "copystat")):
            setattr(module, name, self._counted(getattr(module, name)))
        write = Journal._write

        def write_torn(journal: Journal, line: bytes) -> None:
            def tear() -> None:
                write(journal, line[: len(line) // 2])
                journal._file.flush()

            self.operation(tear)
            write(journal, line)

        setattr(Journal, "_write", write_torn)  # noqa: B010  mypy knows it for a method

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.operation()
            return function(*arguments, **options)

        return counted


def carry_out(order: Order, killing: Killing) -> dict[str, Any]:
    """Do an order in this process, as far as it gets."""
    killing.install()
    if order.is_undo:
        return {"kept": [item.path for item in undo(order.directory).kept]}
    header = Header("organize", "1a2b", order.source, Mode(order.mode))
    steps = [Step(*step) for step in order.steps]
    return asdict(run_steps(Path(order.directory), header, steps))


def fulfil(order: Order) -> dict[str, Any]:
    """Do one order in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        killing = Killing(order.kill_at)
        try:
            answer = carry_out(order, killing)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        os.write(writing, json.dumps(answer | {"operations": killing.count}).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said: dict[str, Any] = json.loads(pipe.read() or "{}")
    _, status = os.waitpid(child, 0)
    return said | {"is_killed": os.WIFSIGNALED(status)}


class Forks:
    """The program, as a test speaks to it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Forks":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()

    def ask(self, order: Order) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(asdict(order)), file=self.process.stdin, flush=True)
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert "error" not in said or NOTHING_YET in said["error"], said
        return said


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(fulfil(Order(**json.loads(line)))), flush=True)
