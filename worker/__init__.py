"""Does the work: Celery's application, its tasks, and the steps that they are made of."""

from collections.abc import Callable
from typing import TypeAlias

# Called between the steps of long work; raises if the work is not wanted any more.
Checkpoint: TypeAlias = Callable[[], None]
