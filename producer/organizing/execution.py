"""Steps, done a group at a time: into the journal first, then onto the disk.

A run that is killed goes on where it was, if it is given the same steps.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from shoal.producer.organizing import transfer
from shoal.producer.organizing.copying import Copying, remove_source
from shoal.producer.organizing.journal import Journal
from shoal.producer.organizing.steps import Mode, Progress, SkipReason, Step, StepError
from shoal.producer.organizing.tasks import Outcome, Task
from shoal.shared.errors import ShoalError

# Steps between two waits for the disk.
LINKS_PER_SYNC, COPIES_PER_SYNC = 256, 16


class Execution:
    """Does the steps of a plan in a directory."""

    def __init__(self, directory: Path, source: Path, mode: Mode, journal: Journal) -> None:
        """Set up without touching anything.

        Args:
            directory: Of the destinations.
            source: The folder of the sources.
            mode: How files get to their destinations.
            journal: Of the directory, begun.
        """
        self.directory = directory
        self.source = source
        self.mode = mode
        self.journal = journal
        self.outcome = Outcome()
        self._copying = Copying(directory, journal, self.outcome)
        self._is_move = mode is Mode.MOVE
        self._device = directory.stat().st_dev
        self._real = Path(os.path.realpath(directory))
        self._known = {directory}  # folders that are there, and inside the directory
        self._left: list[Task] = []  # to be copied, since a rename did not reach that far

    def run(self, steps: Iterable[Step], progress: Progress, total: int) -> Outcome:
        """Do all steps; those that cannot be done are listed, and the others go on.

        Raises:
            ShoalError: The disk is full, read-only or broken; what is done stays in the journal.
        """
        is_copying = self.mode is Mode.COPY or self.source.stat().st_dev != self._device
        numbered = enumerate(steps)
        while group := list(islice(numbered, COPIES_PER_SYNC if is_copying else LINKS_PER_SYNC)):
            tasks = [
                Task(number, step, self.source / step.source, self.directory / step.target)
                for number, step in group
            ]
            with self._explain():
                self._run_group(tasks)
            progress(self.outcome.total, total)
        with self._explain():
            self.journal.sync()
        return self.outcome

    @contextmanager
    def _explain(self) -> Iterator[None]:
        """Raise ShoalError if the disk does not let this go on."""
        try:
            yield
        except OSError as error:
            raise ShoalError(
                f"{error.filename or self.directory}: {error.strerror}. Once that is mended,"
                " the same call goes on; or take back what is done"
                f" (`shoal.undo({str(self.directory)!r})`)."
            ) from error

    def _run_group(self, tasks: list[Task]) -> None:
        tasks = self.outcome.attempt(self._prepare, tasks)
        self._note(tasks)
        tasks = self.outcome.attempt(self._make_folders, tasks)
        copied = [task for task in tasks if self._is_copied(task)]
        ended = self.outcome.attempt(self._place, [task for task in tasks if task not in copied])
        copied = self._copying.copy(copied + self._left)
        ended += self.outcome.attempt(remove_source, copied) if self._is_move else copied
        self._left = []
        if ended:
            self.journal.append("done", [task.number for task in ended])
        self.outcome.done += len(ended)

    def _prepare(self, task: Task) -> bool:
        """Return whether the step is still to be done, after a look at both places."""
        journal, number = self.journal, task.number
        self._check_folder(task.target.parent)
        if os.path.lexists(task.target):
            if journal.has(number, Journal.DONE):
                self.outcome.done += 1
                return False
            if journal.has(number, Journal.BEGUN) and self._was_done(task):
                journal.append("done", [number])
                self.outcome.done += 1
                return False
            if not self._is_move and self._has_target(task):
                self.outcome.present += 1
                return False
            raise FileExistsError
        task.found = task.source.lstat()
        if self._is_move and os.path.islink(task.source):  # noqa: PTH114  as its target
            raise StepError(SkipReason.LINK, "it is a link: its file would stay where it is")
        if not self._is_copied(task):  # a copy is compared while it is read
            transfer.check_unchanged(task.source, task.step.digest)
        return True

    def _was_done(self, task: Task) -> bool:
        """Return whether a step that was begun had put the target there; finish it if so."""
        if self.mode in {Mode.SYMLINK, Mode.HARDLINK}:
            return self._has_target(task)
        is_copy = self.journal.has(task.number, Journal.COPIED) and not task.partial.exists()
        if self.mode is Mode.COPY:
            return is_copy and self._has_target(task)
        # Through a link to where the file is now, its old path may seem to be there.
        if not os.path.lexists(task.source) or transfer.leads_to(task.source, task.target):
            return True
        if transfer.is_same_file(task.source, task.target):  # between its two names
            task.source.unlink()
            return True
        if is_copy and self._has_target(task):
            task.found = task.source.lstat()
            transfer.check_unchanged(task.source, task.step.digest)
            self._copying.sync_folders([task])
            return remove_source(task)
        return False

    def _has_target(self, task: Task) -> bool:
        """Return whether the target is what the step would make."""
        if self.mode is Mode.SYMLINK:
            return task.target.is_symlink() and task.target.readlink() == task.source
        if self.mode is Mode.HARDLINK:
            return task.source.samefile(task.target) and not task.target.is_symlink()
        is_file = task.target.is_file() and not task.target.is_symlink()
        return is_file and transfer.read_digest(task.target) == task.step.digest

    def _check_folder(self, folder: Path) -> None:
        """Refuse a folder that a link leads out of the directory."""
        while folder not in self._known and not os.path.lexists(folder):
            folder = folder.parent
        if folder in self._known:
            return
        if not Path(os.path.realpath(folder)).is_relative_to(self._real):
            raise StepError(SkipReason.REFUSED, f"{folder} is a link that leads elsewhere")
        self._known.add(folder)

    def _note(self, tasks: list[Task]) -> None:
        """Write into the journal what will be done, and wait until the disk has it."""
        noted = set[Path]()
        for task in tasks:
            folder = task.target.parent
            new = []
            while folder not in self._known and folder not in noted:
                noted.add(folder)
                if not os.path.lexists(folder):
                    new.append(folder)
                folder = folder.parent
            for folder in reversed(new):
                self.journal.append("folder", os.path.relpath(folder, self.directory))
        for task in tasks:
            self.journal.append("step", *task.record())
        self.journal.sync()

    def _make_folders(self, task: Task) -> bool:
        folder = task.target.parent
        if folder not in self._known:
            folder.mkdir(parents=True, exist_ok=True)
            self._known.add(folder)
        return True

    def _is_copied(self, task: Task) -> bool:
        is_other = task.found is not None and task.found.st_dev != self._device
        return self.mode is Mode.COPY or (self._is_move and is_other)

    def _place(self, task: Task) -> bool:
        """Make a link, or rename within the file system."""
        if self.mode is Mode.SYMLINK:
            task.target.symlink_to(task.source)
        elif self.mode is Mode.HARDLINK:
            # Not a name of a link, on systems where links have names of their own.
            task.target.hardlink_to(os.path.realpath(task.source))
        else:
            try:
                transfer.rename_new(task.source, task.target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._left.append(task)
                return False
        return True
