"""Files get to where a job's clusters say, by a journal that undoes it: no image is ever lost."""

from shoal.producer.organizing.organizing import (
    ClusterFolder,
    Organization,
    list_placements,
    organize,
)
from shoal.producer.organizing.plan import Placement
from shoal.producer.organizing.run import run_steps
from shoal.producer.organizing.steps import Header, Mode, Skipped, SkipReason, Step
from shoal.producer.organizing.tasks import Outcome
from shoal.producer.organizing.undo import Undone, undo

__all__ = [
    "ClusterFolder",
    "Header",
    "Mode",
    "Organization",
    "Outcome",
    "Placement",
    "SkipReason",
    "Skipped",
    "Step",
    "Undone",
    "list_placements",
    "organize",
    "run_steps",
    "undo",
]
