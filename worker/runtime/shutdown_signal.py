"""The shutdown signal: what the main process of a worker tells the processes of its pool."""

import mmap
import struct
import time

# Most batches end by themselves within this time.
GRACE_SECONDS = 5.0
MOMENT = struct.Struct("d")


class ShutdownSignal:
    """Sent by one process, seen by all that are forked from it.

    Celery waits for the batches at work when it is told to end, however long they take.
    """

    def __init__(self) -> None:
        # Memory without a file stays shared after a fork.
        self._moment = mmap.mmap(-1, MOMENT.size)

    def send(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Have work given back that does not end within ``grace_seconds``."""
        MOMENT.pack_into(self._moment, 0, time.monotonic() + grace_seconds)

    def is_due(self) -> bool:
        """Return whether work is to be given back now."""
        moment: float = MOMENT.unpack_from(self._moment)[0]
        return 0 < moment < time.monotonic()
