"""Moving: the duplicates that are not kept go to another directory, and can come back."""

from collections.abc import Iterable
from pathlib import Path

from shoal.producer.duplicates.candidates import Candidate
from shoal.producer.duplicates.decisions import Decision, KeepRule
from shoal.producer.duplicates.keeper import Keeper
from shoal.producer.organizing import Header, Mode, Outcome, Skipped, SkipReason, Step, run_steps
from shoal.producer.organizing.checks import MOVING_DUPLICATES
from shoal.producer.organizing.journal import has_journal
from shoal.producer.organizing.steps import Progress, find_place
from shoal.producer.results import JobResults
from shoal.shared.settings import Settings

# Why an image that is no more as the job has seen it is left where it is.
REASONS = {
    Decision.CHANGED: (SkipReason.CHANGED, "its content is not that which the job has seen"),
    Decision.MISSING: (SkipReason.MISSING, "it is not there any more"),
    Decision.UNREADABLE: (SkipReason.REFUSED, "it cannot be read"),
    Decision.SAME_FILE: (SkipReason.LINK, "it is the file that is kept, by a link in its path"),
}


def move_extra(
    job: JobResults,
    directory: Path,
    rule: KeepRule,
    settings: Settings,
    *,
    exact: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Move all duplicates but one of each group to ``directory``, under their own paths.

    The arguments are those of ``Keeper`` and of ``run_steps``. A run that was interrupted goes on.

    Raises:
        UsageError: It cannot be done; nothing was done, and the message says what to change.
        ShoalError: The disk is full, read-only or broken; what is done stays in the journal.
    """
    directory = find_place(directory)
    # Else a file there is none that was moved, and what it is the same as must stay.
    moved_to = directory if has_journal(directory) else None
    with Keeper(job, rule, settings, exact=exact, moved_to=moved_to) as keeper:
        steps, skipped = sort_decided(keeper.list_decided())
        if not steps:
            return Outcome(skipped=skipped)
        header = Header(MOVING_DUPLICATES, job.id, str(keeper.source), Mode.MOVE)
    outcome = run_steps(directory, header, steps, progress)
    outcome.skipped += skipped
    return outcome


def sort_decided(decided: Iterable[Candidate]) -> tuple[list[Step], list[Skipped]]:
    """Sort images that are not kept: those to be moved, and those left where they are."""
    steps, skipped = list[Step](), list[Skipped]()
    for one in decided:
        path = one.image.path
        if one.decision in REASONS:
            skipped.append(Skipped(path, *REASONS[one.decision]))
        else:
            steps.append(Step(path, path, one.digest))
    return steps, skipped
