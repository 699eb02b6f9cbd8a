"""Files get to where a job's clusters say, by a journal that undoes it: no image is ever lost."""

from shoal.producer.organizing.background import Action, BackgroundRuns, Ending, Run, RunState
from shoal.producer.organizing.destinations import find_destination, find_header, list_organized
from shoal.producer.organizing.organizing import (
    ClusterFolder,
    Organization,
    list_placements,
    organize,
)
from shoal.producer.organizing.plan import Placement
from shoal.producer.organizing.preview import FolderPreview, Preview, preview_folders
from shoal.producer.organizing.run import run_steps
from shoal.producer.organizing.steps import Header, Mode, Skipped, SkipReason, Step
from shoal.producer.organizing.tasks import Outcome
from shoal.producer.organizing.undo import Undone, undo, undo_known

__all__ = [
    "Action",
    "BackgroundRuns",
    "ClusterFolder",
    "Ending",
    "FolderPreview",
    "Header",
    "Mode",
    "Organization",
    "Outcome",
    "Placement",
    "Preview",
    "Run",
    "RunState",
    "SkipReason",
    "Skipped",
    "Step",
    "Undone",
    "find_destination",
    "find_header",
    "list_organized",
    "list_placements",
    "organize",
    "preview_folders",
    "run_steps",
    "undo",
    "undo_known",
]
