"""Checkpoints: where long work looks whether it is still wanted."""

from collections.abc import Callable
from typing import TypeAlias

# Called between steps; raises if the work is not wanted any more.
Checkpoint: TypeAlias = Callable[[], None]
