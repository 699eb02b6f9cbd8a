"""The tally: the counts of all jobs, added up."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from shoal.shared.jobs import State

# The states in which batches or callbacks take time.
TIMED = (State.LOADING, State.LABELLING, State.FITTING, State.FINISHING)
FIELDS = (
    *("state", "loaded", "failed"),
    *(f"{state}_seconds" for state in TIMED),
    *(f"{state}_timed" for state in TIMED),
)


@dataclass
class Tally:
    """Counts of the jobs that have not expired.

    Attributes:
        jobs: By state.
        loaded: Images.
        failed: Images.
        seconds: That batches and callbacks took, by the state of their job.
        timed: How many of them took that.
    """

    jobs: Counter[str] = field(default_factory=Counter)
    loaded: int = 0
    failed: int = 0
    seconds: defaultdict[str, float] = field(default_factory=partial(defaultdict, float))
    timed: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, rows: Iterable[Sequence[bytes | None] | Exception]) -> "Tally":
        """Add up the ``FIELDS`` of some jobs; damaged ones count nothing."""
        tally = cls()
        for row in rows:
            if not isinstance(row, Exception) and row[0] is not None:
                tally.add([(value or b"0").decode() for value in row])
        return tally

    def add(self, values: Sequence[str]) -> None:
        """Count one job, given its ``FIELDS``."""
        self.jobs[values[0]] += 1
        self.loaded += int(values[1])
        self.failed += int(values[2])
        for number, state in enumerate(TIMED):
            self.seconds[state] += float(values[3 + number])
            self.timed[state] += int(values[3 + len(TIMED) + number])
