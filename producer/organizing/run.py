"""A run in a directory: what is checked before, its journal, its steps."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from shoal.producer.organizing.aside import drop_aside
from shoal.producer.organizing.checks import (
    MOVING_DUPLICATES,
    check_links,
    check_places,
    measure_steps,
)
from shoal.producer.organizing.execution import Execution
from shoal.producer.organizing.journal import (
    FILE_NAME,
    FOLDER_NAME,
    PROBE_NAME,
    Journal,
    has_journal,
    open_journal,
)
from shoal.producer.organizing.steps import Header, Progress, Skipped, SkipReason, Step
from shoal.producer.organizing.tasks import Outcome
from shoal.producer.organizing.transfer import sync_folder
from shoal.shared.errors import UsageError

STEPS_PER_REPORT = 256


def run_steps(
    directory: Path,
    header: Header,
    steps: Iterable[Step],
    progress: Progress | None = None,
    folders: Sequence[str] = (),
) -> Outcome:
    """Bring files to their destinations, or go on where an earlier run ended early.

    Args:
        directory: Of the destinations; it is created if need be.
        header: What is done, and for which job.
        steps: What is done, in a fixed order; read twice.
        progress: Called with the number of files that were looked at, and of all.
        folders: As for ``check_places``.

    Raises:
        UsageError: It cannot be done there; nothing was done, and the message says what to change.
        ShoalError: The disk is full, read-only or broken; what is done stays in the journal.
    """
    directory = Path(os.path.abspath(directory))  # noqa: PTH100  pathlib would resolve links
    with _explain(directory):
        check_places(directory, header, folders)
        needs = measure_steps(directory, header, steps)
        header = replace(header, plan=needs.plan, made=_make_directory(directory))
    with _explain(directory), open_journal(directory, create=True) as journal:
        _begin(directory, header, journal)
        drop_aside(directory)
        execution = Execution(directory, Path(header.source), header.mode, journal)
        return execution.run(steps, progress or (lambda _done, _total: None), needs.files)


def foresee_steps(
    directory: Path,
    header: Header,
    steps: Iterable[Step],
    progress: Progress | None = None,
    folders: Sequence[str] = (),
) -> Outcome:
    """Return what ``run_steps`` would do, as far as that can be told without reading a file.

    Raises:
        UsageError: It cannot be done there; the message says what to change.
    """
    directory = Path(os.path.abspath(directory))  # noqa: PTH100  pathlib would resolve links
    outcome, source = Outcome(), Path(header.source)
    with _explain(directory):
        check_places(directory, header, folders)
        needs = measure_steps(directory, header, steps)
        is_done = _find_done(directory, replace(header, plan=needs.plan))
        for number, step in enumerate(steps):
            if is_done(number) and os.path.lexists(directory / step.target):
                outcome.done += 1
            elif os.path.lexists(directory / step.target):
                detail = "something is there already"
                outcome.skipped.append(Skipped(step.source, SkipReason.EXISTS, detail))
            # Not with pathlib, which raises where a parent is locked.
            elif not os.path.isfile(source / step.source):  # noqa: PTH113
                detail = "it is not there any more"
                outcome.skipped.append(Skipped(step.source, SkipReason.MISSING, detail))
            else:
                outcome.done += 1
            if progress and outcome.total % STEPS_PER_REPORT == 0:
                progress(outcome.total, needs.files)
    return outcome


def _find_done(directory: Path, header: Header) -> Callable[[int], bool]:
    """Return what says whether an earlier run has done a step, by its number."""
    if not has_journal(directory):
        return lambda _: False
    with open_journal(directory) as journal:
        if journal.header:
            _check_goes_on(directory, header, journal.header, journal)
        return lambda number: journal.has(number, Journal.DONE)


def _make_directory(directory: Path) -> tuple[str, ...]:
    """Make a directory; return those that were made, outermost first.

    Raises:
        OSError: It cannot be made; none is left.
    """
    made = []
    try:
        for folder in (*reversed(directory.parents), directory):
            if not os.path.lexists(folder):
                folder.mkdir()
                made.append(str(folder))
    except OSError:
        _remove_empty(made)
        raise
    if not made and _was_made_in_vain(directory):
        return (str(directory),)
    return tuple(made)


def _remove_empty(folders: Sequence[str]) -> None:
    """Remove folders that were made, the innermost first; what others put there meanwhile stays."""
    with suppress(OSError):
        for folder in reversed(folders):
            Path(folder).rmdir()


def _was_made_in_vain(directory: Path) -> bool:
    """Return whether an earlier run was killed between making a directory and its journal."""
    journal = directory / FOLDER_NAME / FILE_NAME
    with suppress(OSError):
        return os.listdir(directory) == [FOLDER_NAME] and not journal.stat().st_size  # noqa: PTH208  names
    return False


def _begin(directory: Path, header: Header, journal: Journal) -> None:
    """Begin a journal, or check that the one that is there is of the same steps."""
    if journal.header is None:
        try:
            check_links(journal.path.with_name(PROBE_NAME), header.mode)
        except UsageError:
            journal.remove()
            _remove_empty(header.made)
            raise
        journal.begin(header)
        sync_folder(journal.path.parent)
        sync_folder(directory)
    else:
        _check_goes_on(directory, header, journal.header, journal)


def _check_goes_on(directory: Path, header: Header, before: Header, journal: Journal) -> None:
    """Check that the steps of a journal are those that are to be done.

    Raises:
        UsageError: They are not, or an undo was begun, or lines are damaged.
    """
    undo = f"`shoal.undo({str(directory)!r})`"
    if replace(before, made=header.made, plan=header.plan) == header:
        if before.plan != header.plan:
            raise UsageError(
                f"{directory} was made when the job's {_name_changes(header)}: take it back"
                f" ({undo}), then do the same again; or choose another directory."
            )
    else:
        what = f"{before.purpose}, job {before.job_id}, mode {before.mode}"
        raise UsageError(
            f"{directory} has other files that Shoal put there ({what}): choose another directory,"
            f" or take them back first ({undo})."
        )
    if journal.is_undoing or journal.n_damaged:
        why = "its journal is damaged" if journal.n_damaged else "an undo was begun there"
        raise UsageError(
            f"{directory} cannot be gone on with, since {why}: take back what was done ({undo})."
        )


def _name_changes(header: Header) -> str:
    """Name what has changed, so that the same call has another plan."""
    is_of_clusters = header.purpose != MOVING_DUPLICATES
    return "clusters had other names" if is_of_clusters else "duplicates were other files"


@contextmanager
def _explain(directory: Path) -> Iterator[None]:
    """Raise UsageError if the file system does not let ``directory`` be used."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{error.filename or directory} cannot be used ({error.strerror}): choose another"
            " directory."
        ) from error
