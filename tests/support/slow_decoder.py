"""A decoder that waits until it may go on, and notes what it decodes; the page's tests run it."""

import os
import signal
import time
from pathlib import Path

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ImageLimits

CALLS = "calls"
GO = "go"


def hand_over(path: Path, image_size: int, limits: ImageLimits) -> bytes:
    """Return the content of a file, unless its name is that of a fault."""
    with (path.parent / CALLS).open("a") as calls:
        calls.write(f"{path.name} {os.getpid()} {image_size}\n")
    match path.stem:
        case "slow":
            while not (path.parent / GO).exists():
                time.sleep(0.01)
        case "deadly":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "damaged":
            raise UnreadableImageError(FailureReason.DAMAGED, "by its name")
    return path.read_bytes()
