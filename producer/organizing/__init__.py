"""Files get to where a job's clusters say, by a journal that undoes it: no image is ever lost."""

from shoal.producer.organizing.execution import Outcome
from shoal.producer.organizing.run import run_steps
from shoal.producer.organizing.steps import Header, Mode, Skipped, SkipReason, Step
from shoal.producer.organizing.undo import Undone, undo

__all__ = [
    "Header",
    "Mode",
    "Outcome",
    "SkipReason",
    "Skipped",
    "Step",
    "Undone",
    "run_steps",
    "undo",
]
