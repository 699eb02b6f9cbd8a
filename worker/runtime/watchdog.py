"""The watchdog: kills a process in which one image takes too long."""

import faulthandler
import time
from typing import Self

# Celery replaces sys.stderr by a logger, which a dying process cannot write to.
STDERR = 2


class Watchdog:
    """Kills the process if one image takes too long.

    It is a C thread, which runs while a decoder holds the interpreter's lock. The broker delivers
    the message again, and the ledger counts the attempts.
    """

    def __init__(self, image_seconds: float) -> None:
        # Setting the timer takes as long as a small image: it is not set for each of them.
        self.interval = min(1.0, image_seconds / 4)
        self.seconds = image_seconds + self.interval
        self.next_at = 0.0

    def __enter__(self) -> Self:
        self.watch()
        return self

    def __exit__(self, *error: object) -> None:
        faulthandler.cancel_dump_traceback_later()

    def watch(self) -> None:
        """Start the time of an image, from now or from a moment before."""
        now = time.monotonic()
        if now >= self.next_at:
            faulthandler.dump_traceback_later(self.seconds, exit=True, file=STDERR)
            self.next_at = now + self.interval
