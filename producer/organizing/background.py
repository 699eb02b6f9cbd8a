"""Runs in the background: a thread each, of which others ask how far it is."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Event, Lock, Thread

from shoal.producer.organizing.steps import Progress, Skipped
from shoal.shared.errors import ShoalError, UsageError

# Runs at the same time: each reads whole folders.
MOST_RUNNING = 2
# Runs that have ended, whose outcome can be asked for.
MOST_KEPT = 50
# Time in which runs end by themselves once they are told to.
END_SECONDS = 5.0
# What is left out, as far as it is listed.
MOST_LISTED = 100

logger = logging.getLogger(__name__)


class Action(StrEnum):
    """What a run does in its directory."""

    ORGANIZE = "organize"
    MOVE_DUPLICATES = "move_duplicates"
    UNDO = "undo"


class RunState(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Ending:
    """What a run has done.

    Attributes:
        done: Files that are in place, or were taken back.
        skipped: Files that were left as they are, with the reasons.
        is_complete: Of an undo, whether nothing is left to be taken back.
    """

    done: int
    skipped: list[Skipped]
    is_complete: bool = True


# Does the work, and calls what it is given with how far it is.
Work = Callable[[Progress], Ending]


@dataclass
class Run:
    """One run, as it stands now.

    Attributes:
        job_id: Id of the job.
        directory: Where it works.
        action: What it does there.
        state: How it stands.
        seen: Files that were looked at.
        total: How many there are; 0 while that is not known.
        done: Files that are in place, or were taken back, once it has ended.
        n_skipped: Files that were left as they are, once it has ended.
        skipped: The first 100 of these, with the reasons.
        is_complete: Of an undo that has ended, whether nothing is left to be taken back.
        error: Why it failed, and what to do; empty if it did not.
    """

    job_id: str
    directory: str
    action: Action
    state: RunState = RunState.RUNNING
    seen: int = 0
    total: int = 0
    done: int = 0
    n_skipped: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    is_complete: bool = True
    error: str = ""


class BackgroundRuns:
    """Starts runs, at most one in a directory at a time, and remembers the latest of each."""

    def __init__(self) -> None:
        self._runs = OrderedDict[Path, Run]()
        self._threads = list[Thread]()
        self._lock = Lock()
        self._closing = Event()

    def start(self, directory: Path, job_id: str, action: Action, work: Work) -> Run:
        """Start a run in a thread of its own; return at once.

        Raises:
            UsageError: Another run is at work in the directory, or there are too many.
        """
        run = Run(job_id, str(directory), action)
        thread = Thread(target=self._carry_out, args=[run, work], name="organizing", daemon=True)
        with self._lock:
            running = {place for place, known in self._runs.items() if _is_running(known)}
            if directory in running:
                raise UsageError(f"Another run is at work in {directory}: wait until it has ended.")
            if len(running) >= MOST_RUNNING or self._closing.is_set():
                raise UsageError("Files are brought to other places already: try again later.")
            self._runs.pop(directory, None)
            self._runs[directory] = run
            while len(self._runs) > MOST_KEPT + MOST_RUNNING:
                self._runs.pop(next(p for p, known in self._runs.items() if not _is_running(known)))
            self._threads = [*filter(Thread.is_alive, self._threads), thread]
            thread.start()
        return run

    def find(self, directory: Path) -> Run | None:
        """Find the latest run in a directory."""
        return self._runs.get(directory)

    def of_job(self, job_id: str) -> list[Run]:
        """List the latest run of a job in each directory, the latest first."""
        with self._lock:
            return [run for run in reversed(self._runs.values()) if run.job_id == job_id]

    def close(self) -> None:
        """Stop all runs between two steps; their journals say what they have done."""
        self._closing.set()
        for thread in self._threads:
            thread.join(END_SECONDS)

    def _carry_out(self, run: Run, work: Work) -> None:
        def note(seen: int, total: int) -> None:
            run.seen, run.total = seen, total
            if self._closing.is_set():
                raise ShoalError("The server was stopped: start it again to go on or to go back.")

        try:
            ending = work(note)
        except ShoalError as error:
            run.error, run.state = str(error), RunState.FAILED
        except Exception as error:
            logger.exception("%s in %s broke off", run.action, run.directory)
            run.error = f"Unexpected {type(error).__name__}: see the server's log."
            run.state = RunState.FAILED
        else:
            run.done, run.n_skipped = ending.done, len(ending.skipped)
            run.skipped, run.is_complete = ending.skipped[:MOST_LISTED], ending.is_complete
            run.state = RunState.DONE


def _is_running(run: Run) -> bool:
    return run.state is RunState.RUNNING
