"""Steps that are under way, and what becomes of them."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shoal.producer.organizing.steps import Skipped, SkipReason, Step, StepError, partial_path

# Every other step would fail, too.
FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


@dataclass(eq=False)
class Task:
    """A step that is under way, with the state of its source before it."""

    number: int
    step: Step
    source: Path
    target: Path
    found: os.stat_result | None = None

    @property
    def partial(self) -> Path:
        """The name under which a copy is written."""
        return partial_path(self.target, self.number)

    def record(self) -> tuple[int, str, str, int, int, int]:
        """Return what the journal says of it before it is done, once its source was found."""
        step, found = self.step, self.found or os.stat_result((0,) * 10)
        size = found.st_size, found.st_mtime_ns
        return self.number, step.source, step.target, step.digest, *size


@dataclass
class Outcome:
    """What became of the steps.

    Attributes:
        done: Files that are at their destinations, by this run or an earlier one of the same steps.
        present: Files of which the same link or content was at the destination before.
        skipped: Files that were left as they are, with the reasons.
    """

    done: int = 0
    present: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many files were looked at."""
        return self.done + self.present + len(self.skipped)

    def attempt(self, action: Callable[[Task], bool], tasks: list[Task]) -> list[Task]:
        """Return the tasks for which ``action`` returns True; list those that it cannot do."""
        going_on = []
        for task in tasks:
            try:
                if action(task):
                    going_on.append(task)
            except StepError as error:
                self._skip(task, error.reason, error.detail)
            except FileExistsError:
                self._skip(task, SkipReason.EXISTS, _describe_taken(task))
            except (FileNotFoundError, NotADirectoryError):
                self._skip(task, SkipReason.MISSING, "it is not there any more")
            except OSError as error:
                if error.errno in FATAL:
                    raise
                self._skip(task, SkipReason.REFUSED, error.strerror or str(error))
        return going_on

    def _skip(self, task: Task, reason: SkipReason, detail: str) -> None:
        self.skipped.append(Skipped(task.step.source, reason, detail))


def _describe_taken(task: Task) -> str:
    return f"{task.target} is there already"
