"""Copies: whole and proved before they get their names; for a move, before the source goes."""

import os
from pathlib import Path

from shoal.producer.organizing import transfer
from shoal.producer.organizing.journal import Journal
from shoal.producer.organizing.steps import SkipReason, StepError
from shoal.producer.organizing.tasks import Outcome, Task


class Copying:
    """Copies files into a directory, a group at a time."""

    def __init__(self, directory: Path, journal: Journal, outcome: Outcome) -> None:
        self.directory = directory
        self.journal = journal
        self.outcome = outcome

    def copy(self, tasks: list[Task]) -> list[Task]:
        """Return the tasks whose files were copied, once the disk has all of these copies."""
        tasks = self.outcome.attempt(self._write_copy, tasks)
        if not tasks:
            return []
        self.journal.append("copied", [task.number for task in tasks])
        self.journal.sync()
        tasks = self.outcome.attempt(self._publish, tasks)
        self.sync_folders(tasks)
        return tasks

    def sync_folders(self, tasks: list[Task]) -> None:
        """Wait until the disk has the names of copies, and of the folders they are in."""
        folders = set[Path]()
        for task in tasks:
            parents = task.target.relative_to(self.directory).parents
            folders.update(self.directory / parent for parent in parents)
        for folder in folders:
            transfer.sync_folder(folder)

    def _write_copy(self, task: Task) -> bool:
        transfer.copy_verified(task.source, task.partial, task.step.digest)
        return True

    def _publish(self, task: Task) -> bool:
        try:
            transfer.rename_new(task.partial, task.target)
        except OSError:
            # Else what somebody has put there meanwhile would be taken for the copy.
            self.journal.append("step", *task.record())
            self.journal.sync()
            task.partial.unlink()
            raise
        return True


def remove_source(task: Task) -> bool:
    """Remove the source of a copy, unless it has changed since it was read."""
    if task.found and _identify(task.source.lstat()) != _identify(task.found):
        task.target.unlink()
        raise StepError(SkipReason.CHANGED, "it changed while it was copied")
    task.source.unlink()
    return True


def _identify(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
