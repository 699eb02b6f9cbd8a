"""Signs of life: of a batch, between its images, and of a lease, by a thread."""

import faulthandler
import threading
import time
from types import TracebackType

from shared.errors import ShoalError
from shared.jobs import Stage
from shared.store import Lease, Ledger

# Celery replaces sys.stderr by a logger, which a dying process cannot write to.
STDERR = 2
# Between two signs of life of a batch.
BEAT_SECONDS = 1.0


class WorkLostError(ShoalError):
    """The job was cancelled, or another process has taken this work over."""


class BatchHeartbeat:
    """Tells the ledger that a batch is worked on, and ends the process if an image hangs.

    The watchdog is a C thread: it works while a decoder holds the interpreter.
    """

    def __init__(self, ledger: Ledger, stage: Stage, batch: int, image_seconds: float) -> None:
        self.ledger = ledger
        self.stage = stage
        self.batch = batch
        self.image_seconds = image_seconds
        self.beaten_at = 0.0

    def __enter__(self) -> "BatchHeartbeat":
        self._arm()
        self.beaten_at = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        faulthandler.cancel_dump_traceback_later()

    def beat(self) -> None:
        """Give a sign of life if one is due.

        Raises:
            WorkLostError: The batch is not wanted any more.
        """
        if time.monotonic() - self.beaten_at < BEAT_SECONDS:
            return
        if not self.ledger.beat_batch(self.stage, self.batch):
            raise WorkLostError(f"job={self.ledger.job_id} batch={self.batch} is not wanted")
        self._arm()
        self.beaten_at = time.monotonic()

    def _arm(self) -> None:
        # The broker sees the process die and delivers the batch again; the attempts are counted.
        faulthandler.dump_traceback_later(self.image_seconds, exit=True, file=STDERR)


class LeaseKeeper:
    """Renews a lease by a thread while its holder computes."""

    def __init__(self, ledger: Ledger, lease: Lease) -> None:
        self.ledger = ledger
        self.lease = lease
        self.ended = threading.Event()
        self.lost = threading.Event()
        self.thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> "LeaseKeeper":
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.ended.set()

    def check(self) -> None:
        """Raise WorkLostError if the work does not count any more."""
        if self.lost.is_set():
            raise WorkLostError(f"job={self.ledger.job_id} state={self.lease.state} was lost")

    def _renew(self) -> None:
        interval = min(self.ledger.lease_seconds / 3, BEAT_SECONDS)
        while not self.ended.wait(interval):
            if not self.ledger.renew_lease(self.lease):
                self.lost.set()
                return
