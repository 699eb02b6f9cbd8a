"""Does the work: Celery's application, its tasks, and the steps that they are made of."""

import os
from collections.abc import Callable
from typing import TypeAlias

# onnxruntime reads this when it is imported, by Shoal or by another package's extractor: otherwise
# it sends Microsoft what models are run, and leaves an identifier of the machine in the home.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Called between the steps of long work; raises if the work is not wanted any more.
Checkpoint: TypeAlias = Callable[[], None]
