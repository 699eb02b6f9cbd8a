"""Taking back what was done in a directory, by its journal alone: no job, no Redis."""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from xxhash import xxh3_64_hexdigest

from shoal.producer.organizing import transfer
from shoal.producer.organizing.aside import find_journal, put_aside
from shoal.producer.organizing.journal import FOLDER_NAME, Begun, Journal, open_journal
from shoal.producer.organizing.steps import (
    Header,
    Mode,
    Progress,
    Skipped,
    SkipReason,
    StepError,
    find_place,
    partial_path,
)
from shoal.shared.errors import ShoalError, UsageError


@dataclass
class Undone:
    """What was taken back.

    Attributes:
        directory: Of the destinations.
        source: The folder of the sources.
        mode: How files had got to their destinations.
        undone: Files that were moved back, and links and copies that were removed.
        kept: What stays in the directory, with the reasons. While there is any, the journal stays,
            too: call again once that is mended.
        damaged: Lines of the journal that could not be read. The journal stays while there is
            anything else in the directory, which may be what they were about.
        is_complete: Whether the journal is gone, since nothing is left to be taken back.
    """

    directory: str
    source: str
    mode: Mode
    undone: int = 0
    kept: list[Skipped] = field(default_factory=list)
    damaged: int = 0
    is_complete: bool = False


def undo(directory: str | os.PathLike[str], progress: Progress | None = None) -> Undone:
    """Take back what ``Job.organize`` did in a directory, or moving duplicates to it.

    Files that were moved go back, and never replace what is there now; links and copies are removed
    if they are as they were made and their originals are still there; folders that were made are
    removed if they are empty. If this is interrupted, call it again.

    Args:
        directory: The destination that was given then.
        progress: Called with the number of files that were looked at, and of all.

    Returns:
        What was taken back, and what stays.

    Raises:
        UsageError: The directory has no journal, or another process is at work in it.
        ShoalError: The directory or the folder of the sources cannot be written to.
    """
    return undo_known(find_place(directory), None, progress or (lambda _done, _total: None))


def undo_known(place: Path, known: Header | None, progress: Progress) -> Undone:
    """Take back what was done in a place, if its journal is still the one that somebody has seen.

    Args:
        place: The directory.
        known: What the journal was about; None takes any.
        progress: As for ``undo``.

    Raises:
        UsageError: As for ``undo``, or the journal is about something else now.
        ShoalError: As for ``undo``.
    """
    try:
        with open_journal(place, folder=find_journal(place)) as journal:
            if known and journal.header != known:
                raise UsageError(f"The journal in {place} has changed meanwhile: look again.")
            return _undo(place, journal, progress)
    except OSError as error:
        raise ShoalError(
            f"{error.filename or place}: {error.strerror}. Once that is mended, call this again."
        ) from error


def _undo(directory: Path, journal: Journal, progress: Progress) -> Undone:
    header = journal.header
    if header is None:  # it was killed before it did anything
        journal.remove()
        with suppress(OSError):
            directory.rmdir()
        raise UsageError(f"Nothing had been done in {directory} yet: there is nothing to undo.")
    if not journal.is_undoing:
        journal.append("undo")
        journal.sync()
    undone = Undone(str(directory), header.source, header.mode, damaged=journal.n_damaged)
    undoing = _Undoing(directory, header, journal)
    total = sum(map(bool, journal.flags))
    for seen, step in enumerate(journal.steps(), 1):
        try:
            undone.undone += undoing.take_back(step)
        except StepError as error:
            undone.kept.append(Skipped(step.target, error.reason, error.detail))
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}:
                raise
            detail = error.strerror or str(error)
            undone.kept.append(Skipped(step.target, SkipReason.REFUSED, detail))
        progress(seen, total)
    for folder in _made_folders(directory, journal):
        with suppress(OSError):  # what is not empty has something that was not made here
            folder.rmdir()
    undone.is_complete = not (undone.kept or (journal.n_damaged and _has_more(directory)))
    if undone.is_complete:
        _remove_made(directory, header, journal)
    return undone


def _remove_made(directory: Path, header: Header, journal: Journal) -> None:
    """Remove the journal, and the directory and its parents if they were made and are empty."""
    if directory.is_dir() and not os.access(directory, os.W_OK | os.X_OK):  # not half of it
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(directory))
    # Only of this directory: it may have been renamed, and there be another of its old name.
    made = [path for path in map(Path, header.made) if path in (directory, *directory.parents)]
    is_aside = bool(made) and put_aside(journal, directory, made[0].parent)
    if not is_aside:
        journal.remove()
    for folder in reversed(made):
        with suppress(OSError):
            folder.rmdir()
    if is_aside:
        journal.remove()


def _made_folders(directory: Path, journal: Journal) -> Iterator[Path]:
    folders = (directory / folder for folder in reversed(journal.folders))
    return (folder for folder in folders if transfer.is_inside(folder.parent, directory))


def _has_more(directory: Path) -> bool:
    """Return whether a directory has anything but its journal."""
    return directory.is_dir() and any(path.name != FOLDER_NAME for path in directory.iterdir())


class _Undoing:
    """Takes back one step after the other, whatever had become of it."""

    def __init__(self, directory: Path, header: Header, journal: Journal) -> None:
        self.directory = directory
        self.source = Path(header.source)
        self.mode = header.mode
        self.journal = journal
        # Another directory may be undone into the same source at the same time.
        self._tag = f"-{xxh3_64_hexdigest(os.fsencode(directory))}"

    def take_back(self, step: Begun) -> bool:
        """Take back one step; return whether there was something to take back.

        Raises:
            StepError: What is there must stay.
        """
        source, target = self.source / step.source, self.directory / step.target
        if not transfer.is_inside(target.parent, self.directory):
            raise StepError(SkipReason.LINK, f"{target.parent} leads out of {self.directory}")
        if self.mode is Mode.MOVE:  # else the sources may be read-only
            self._partial_back(step, source).unlink(missing_ok=True)
        partial = partial_path(target, step.number)
        was_partial = os.path.lexists(partial)
        partial.unlink(missing_ok=True)
        journal, number = self.journal, step.number
        is_ours = journal.has(number, Journal.DONE) or (
            journal.has(number, Journal.COPIED) and not was_partial
        )
        if self.mode is Mode.MOVE:
            return self._move_back(step, source, target, is_ours=is_ours)
        if not os.path.lexists(target):
            return False
        if self.mode is Mode.COPY and not is_ours:
            return False  # what is there was not made here
        try:
            self._check_made(step, source, target)
        except StepError:
            if is_ours:
                raise
            return False
        target.unlink()
        return True

    def _move_back(self, step: Begun, source: Path, target: Path, *, is_ours: bool) -> bool:
        if not os.path.lexists(target):
            if os.path.lexists(source):
                return False
            raise StepError(SkipReason.MISSING, "it is neither here nor where it was")
        is_gone = not os.path.lexists(source)
        if target.is_symlink() and (is_gone or is_ours):  # no link was moved there
            raise StepError(SkipReason.CHANGED, "it has become a link since")
        if is_gone and not is_ours and transfer.read_digest(target) != step.digest:
            raise StepError(SkipReason.CHANGED, "it is not what was put there")
        if is_gone:
            source.parent.mkdir(parents=True, exist_ok=True)
            self._rename_back(step, source, target)
        elif transfer.leads_to(source, target):
            raise StepError(SkipReason.LINK, f"{source} is a link to it: remove that link")
        elif transfer.is_same_file(source, target):  # killed between its two names
            target.unlink()
        elif not is_ours:
            return False
        elif not source.is_symlink() and transfer.read_digest(source) == transfer.read_digest(
            target
        ):
            transfer.sync_folder(source.parent)
            target.unlink()
        else:
            raise StepError(SkipReason.EXISTS, f"{source} is there already")
        return True

    def _rename_back(self, step: Begun, source: Path, target: Path) -> None:
        try:
            transfer.rename_new(target, source)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            partial = self._partial_back(step, source)
            # Whatever is there now: a file that was changed since goes back as it is.
            transfer.copy_verified(target, partial, transfer.read_digest(target))
            transfer.rename_new(partial, source)
            for parent in Path(step.source).parents:  # some may be new
                transfer.sync_folder(self.source / parent)
            target.unlink()

    def _partial_back(self, step: Begun, source: Path) -> Path:
        return partial_path(source, step.number, self._tag)

    def _check_made(self, step: Begun, source: Path, target: Path) -> None:
        """Refuse to remove a link or a copy that is not as it was made, or is all that is left."""
        changed = StepError(SkipReason.CHANGED, "it is not what was put there")
        if self.mode is Mode.SYMLINK:
            if not (target.is_symlink() and target.readlink() == source):
                raise changed
            return
        if target.is_symlink():
            raise changed
        if transfer.leads_to(source, target):
            raise StepError(SkipReason.LINK, f"{source} is a link to it, and this is the only file")
        if self.mode is Mode.HARDLINK:
            if not (source.exists() and source.samefile(target)):
                raise StepError(SkipReason.CHANGED, f"{source} is not the same file any more")
            return
        if transfer.read_digest(target) != step.digest:
            raise changed
        if not self._has_original(step, source):
            raise StepError(SkipReason.MISSING, f"{source} is gone or changed, and this is a copy")

    def _has_original(self, step: Begun, source: Path) -> bool:
        with suppress(OSError, StepError):
            found = source.stat()
            is_as_noted = (found.st_size, found.st_mtime_ns) == (step.size, step.mtime_ns)
            return is_as_noted or transfer.read_digest(source) == step.digest
        return False
