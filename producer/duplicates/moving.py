"""Moving: the duplicates that are not kept go to another directory, and can come back."""

import fcntl
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shoal.producer.duplicates.candidates import Candidate
from shoal.producer.duplicates.decisions import Decision, KeepRule, Kind
from shoal.producer.duplicates.keeper import Keeper
from shoal.producer.organizing import Header, Mode, Outcome, Skipped, SkipReason, Step, run_steps
from shoal.producer.organizing.checks import MOVING_DUPLICATES
from shoal.producer.organizing.journal import has_journal
from shoal.producer.organizing.steps import Progress, find_place
from shoal.producer.results import JobResults
from shoal.shared.errors import UsageError
from shoal.shared.settings import Settings

# Why an image that is no more as the job has seen it is left where it is.
REASONS = {
    Decision.CHANGED: (SkipReason.CHANGED, "its content is not that which the job has seen"),
    Decision.MISSING: (SkipReason.MISSING, "it is not there any more"),
    Decision.UNREADABLE: (SkipReason.REFUSED, "it cannot be read"),
    Decision.SAME_FILE: (SkipReason.LINK, "it is the file that is kept, by a link in its path"),
}


@dataclass
class MovedDuplicates(Outcome):
    """What became of the duplicates that are not kept.

    Attributes:
        kinds: How many of those in the directory are of each kind.
    """

    kinds: dict[Kind, int] = field(default_factory=dict)


@dataclass
class ExtraDuplicates:
    """The duplicates that are not kept.

    Attributes:
        files: Where they are, in the order of the table.
        kinds: How many of them are of each kind.
        size_bytes: Of all of these files.
        skipped: Duplicates that are left alone, since they are not as the job has seen them.
    """

    files: list[Path]
    kinds: dict[Kind, int]
    size_bytes: int
    skipped: list[Skipped]


def list_extra(
    job: JobResults, rule: KeepRule, settings: Settings, *, exact: bool = False
) -> ExtraDuplicates:
    """List the duplicates that are not kept; the arguments are those of ``Keeper``."""
    with Keeper(job, rule, settings, exact=exact) as keeper:
        extra, skipped = _sort_decided(keeper.list_decided())
    return ExtraDuplicates(
        files=[keeper.source / one.image.path for one in extra],
        kinds=_count_kinds(extra),
        size_bytes=sum(one.size_bytes for one in extra),
        skipped=skipped,
    )


def move_extra(
    job: JobResults,
    directory: Path,
    rule: KeepRule,
    settings: Settings,
    *,
    exact: bool = False,
    progress: Progress | None = None,
) -> MovedDuplicates:
    """Move all duplicates but one of each group to ``directory``, under their own paths.

    The arguments are those of ``Keeper`` and of ``run_steps``. A run that was interrupted goes on.

    Raises:
        UsageError: It cannot be done; nothing was done, and the message says what to change.
        ShoalError: The disk is full, read-only or broken; what is done stays in the journal.
    """
    directory = find_place(directory)
    # Else a file there is none that was moved, and what it is the same as must stay.
    moved_to = directory if has_journal(directory) else None
    keeper = Keeper(job, rule, settings, exact=exact, moved_to=moved_to)
    with _hold(keeper.source):
        with keeper:
            extra, skipped = _sort_decided(keeper.list_decided())
        if not extra:
            return MovedDuplicates(skipped=skipped)
        header = Header(MOVING_DUPLICATES, job.id, str(keeper.source), Mode.MOVE)
        steps = [Step(one.image.path, one.image.path, one.digest) for one in extra]
        outcome = run_steps(directory, header, steps, progress, keeper.given)
    left = {item.path for item in outcome.skipped}
    return MovedDuplicates(
        done=outcome.done,
        present=outcome.present,
        skipped=outcome.skipped + skipped,
        kinds=_count_kinds(one for one in extra if one.image.path not in left),
    )


@contextmanager
def _hold(source: Path) -> Iterator[None]:
    """Hold a folder: by another rule, somebody else would move away what is kept here.

    Raises:
        UsageError: Somebody else moves duplicates out of it.
    """
    try:
        folder = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:  # whoever may not list it may still move files that they know
        yield
        return
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(folder)
        raise UsageError(
            f"Duplicates are being moved out of {source} already: wait until that has ended."
        ) from error
    except OSError:  # some network file systems have no locks
        pass
    try:
        yield
    finally:
        os.close(folder)


def _sort_decided(decided: Iterable[Candidate]) -> tuple[list[Candidate], list[Skipped]]:
    """Sort images that are not kept: those to be moved, and those left where they are."""
    extra, skipped = list[Candidate](), list[Skipped]()
    for one in decided:
        if one.decision in REASONS:
            skipped.append(Skipped(one.image.path, *REASONS[one.decision]))
        else:
            extra.append(one)
    return extra, skipped


def _count_kinds(images: Iterable[Candidate]) -> dict[Kind, int]:
    counts = Counter(one.kind for one in images)
    return {kind: counts[kind] for kind in Kind if counts[kind]}
