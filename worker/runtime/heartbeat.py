"""Signs of life of a batch or a lease, by a thread, and the end of a process that hangs."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import NoReturn, Self

from redis import RedisError

from shoal.shared.errors import ShoalError
from shoal.shared.jobs import State, Wave
from shoal.shared.store import Lease, Ledger
from shoal.worker.runtime.shutdown_signal import ShutdownSignal

logger = logging.getLogger(__name__)

NOT_WANTED = "work is not wanted any more"
# Between two signs of life.
BEAT_SECONDS = 1.0
# To stop, from when the work of a cancelled job is known to be lost: a fit's steps can take longer.
STOP_SECONDS = 2.0
# Threads that stay: to wait for a new one to start took 4 ms a batch on busy cores.
THREADS = ThreadPoolExecutor(max_workers=1024, thread_name_prefix="heartbeat")


class WorkLostError(ShoalError):
    """The job was cancelled, or another process has taken this work over."""


class WorkReturnedError(WorkLostError):
    """This worker is to end, and hands its work back."""


class Heartbeat:
    """Gives signs of life by a thread while its caller computes; ends who will not be cancelled.

    Attributes:
        lost: Set once the work is not wanted any more.
    """

    def __init__(
        self,
        give: Callable[[], bool],
        lease_seconds: float,
        work: str,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare.

        Args:
            give: Gives a sign of life; returns whether the work is still wanted.
            lease_seconds: Without a sign for this long, the work counts as lost.
            work: What is worked on, for the message of WorkLostError.
            is_cancelled: Tells whether the job was cancelled, of which this is a part.
        """
        self.give = give
        self.interval = min(lease_seconds / 3, BEAT_SECONDS)
        self.work = work
        self.is_cancelled = is_cancelled
        self.ended = threading.Event()
        self.lost = threading.Event()
        self.signs: Future[None] | None = None
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        self.signs = THREADS.submit(self._give_signs)
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()

    @property
    def seconds(self) -> float:
        """Time since the work began."""
        return round(time.monotonic() - self.started, 3)

    def check(self) -> None:
        """Raise WorkLostError if the work does not count any more."""
        if self.lost.is_set():
            self.give_up()

    def give_up(self) -> NoReturn:
        """Raise WorkLostError: the work does not count any more."""
        raise WorkLostError(f"{self.work}: {NOT_WANTED}")

    def _give_signs(self) -> None:
        while not self.ended.wait(self.interval):
            try:
                wanted = self.give()
            except (RedisError, ShoalError, MemoryError):
                continue  # an outage, or an image's hunger, must not end the signs for good
            if not wanted:
                self.lost.set()
                self._insist()
                return

    def _insist(self) -> None:
        """End the process if it goes on with a cancelled job."""
        with suppress(RedisError, ShoalError):
            if not self.ended.wait(STOP_SECONDS) and self.is_cancelled():
                logger.warning("the process ends: it did not stop: %s", self.work)
                # The broker sees it die and delivers its work again, which is refused.
                os.kill(os.getpid(), signal.SIGKILL)


class BatchHeartbeat(Heartbeat):
    """Keeps a batch for its process, until that is to end."""

    def __init__(
        self, ledger: Ledger, wave: Wave, batch: int, shutdown_signal: ShutdownSignal | None = None
    ) -> None:
        self.shutdown_signal = shutdown_signal or ShutdownSignal()
        work = f"job={ledger.job_id} stage={wave} batch={batch}"
        super().__init__(
            lambda: ledger.beat_batch(wave, batch),
            ledger.lease_seconds,
            work,
            lambda: ledger.state() is State.CANCELLED,
        )

    def check(self) -> None:
        """Raise WorkLostError if the work does not count any more, or is to be handed back."""
        super().check()
        if self.shutdown_signal.is_due():
            raise WorkReturnedError(f"{self.work}: this worker is to end")


class LeaseKeeper(Heartbeat):
    """Keeps a lease for its holder."""

    def __init__(self, ledger: Ledger, lease: Lease) -> None:
        self.ledger = ledger
        work = f"job={ledger.job_id} state={lease.state}"
        super().__init__(
            lambda: ledger.renew_lease(lease),
            ledger.lease_seconds,
            work,
            lambda: ledger.state() is State.CANCELLED,
        )
