"""What a job does with its duplicates: decide which to keep, list or move the others."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from shoal.producer.results import JobResults
from shoal.shared.sweeper import Sweeper

if TYPE_CHECKING:
    from shoal.producer.duplicates.decisions import DecidedDuplicate
    from shoal.producer.duplicates.moving import ExtraDuplicates, MovedDuplicates
    from shoal.producer.organizing.steps import Progress

logger = logging.getLogger(__name__)


# Each method itself imports what takes long to import.
class JobDuplicates(JobResults):
    """Acts on the duplicates that a job found.

    Attributes:
        sweeper: Its settings say within which limits files are read.
    """

    sweeper: Sweeper

    def decide_duplicates(
        self,
        keep: str = "largest",
        *,
        exact: bool = False,
        start: int = 0,
        count: int | None = None,
    ) -> "Iterator[DecidedDuplicate]":
        """Yield the duplicates with their sizes, and which image of each group is to be kept.

        The files are read for it, as they are now.

        Args:
            keep: Which one is kept: ``"largest"`` (the most pixels, then the most bytes),
                ``"newest"`` (by the time of the file's last change) or ``"first"`` in the order of
                the folder, which also decides among equal ones.
            exact: Whether only files of the same bytes count as duplicates.
            start: Rows to pass over.
            count: Most rows; None is all.

        Raises:
            UsageError: The search for duplicates failed, or there is no such rule.
            SourceError: The job's folder is not on this machine.
        """
        from shoal.producer.duplicates.decisions import parse_rule
        from shoal.producer.duplicates.keeper import Keeper

        keeper = Keeper(self, parse_rule(keep), self.sweeper.settings, exact=exact)

        def decide() -> "Iterator[DecidedDuplicate]":
            with keeper:
                yield from keeper.decide(start, count)

        return decide()

    def extra_duplicates(self, keep: str = "largest", *, exact: bool = False) -> list[Path]:
        """List the files that need not be kept, as ``decide_duplicates`` decides.

        Of each group, at least one file is not among them. A file that is not as the job has seen
        it is not listed, and the log says so.
        """
        extra = self.plan_duplicates(keep, exact=exact)
        if skipped := extra.skipped:
            logger.warning(
                "%d duplicates are not as the job has seen them, such as %s (%s): left out.",
                *(len(skipped), skipped[0].path, skipped[0].detail),
            )
        return extra.files

    def plan_duplicates(self, keep: str = "largest", *, exact: bool = False) -> "ExtraDuplicates":
        """Return what ``move_duplicates`` would move: the files, how many of a kind, their bytes.

        Args:
            keep: Which one is kept, as for ``decide_duplicates``.
            exact: Whether only files of the same bytes count as duplicates.

        Raises:
            UsageError: The search for duplicates failed, or there is no such rule.
            SourceError: The job's folder is not on this machine.
        """
        from shoal.producer.duplicates.decisions import parse_rule
        from shoal.producer.duplicates.moving import list_extra

        return list_extra(self, parse_rule(keep), self.sweeper.settings, exact=exact)

    def move_duplicates(
        self,
        directory: str | Path,
        keep: str = "largest",
        *,
        exact: bool = False,
        on_progress: "Progress | None" = None,
    ) -> "MovedDuplicates":
        """Move all duplicates but one of each group to a directory; ``shoal.undo`` takes them back.

        Each file keeps its path there, relative to the job's source. Nothing is overwritten. If
        this is interrupted, the same call goes on.

        Args:
            directory: Outside of the job's source; it is created if need be.
            keep: Which one is kept, as for ``decide_duplicates``.
            exact: Whether only files of the same bytes count as duplicates.
            on_progress: Called with the number of files that were looked at, and of all.

        Returns:
            How many files are there now, of each kind, and which were left where they are, with the
            reasons.

        Raises:
            UsageError: It cannot be done there; nothing was done, and the message says what to
                change.
            SourceError: The job's folder is not on this machine.
            ShoalError: The disk is full, read-only or broken; the same call goes on.
        """
        from shoal.producer.duplicates.decisions import parse_rule
        from shoal.producer.duplicates.moving import move_extra

        rule = parse_rule(keep)
        return move_extra(
            self, Path(directory), rule, self.sweeper.settings, exact=exact, progress=on_progress
        )
