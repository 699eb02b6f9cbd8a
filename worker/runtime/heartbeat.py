"""Heartbeats of a batch or a lease, given by a thread while the work goes on."""

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

from shoal.shared.errors import ShoalError, StoreUnavailableError
from shoal.shared.jobs import State, Wave
from shoal.shared.store import Lease, Ledger
from shoal.worker.runtime.shutdown_signal import ShutdownSignal

logger = logging.getLogger(__name__)

NOT_WANTED = "work is not wanted any more"
# Between two heartbeats.
BEAT_SECONDS = 1.0
# How long a process may go on after its job was cancelled: a step of a fit can take longer.
STOP_SECONDS = 2.0
# Threads are kept: starting a new one took 4 ms per batch on busy cores.
THREADS = ThreadPoolExecutor(max_workers=1024, thread_name_prefix="heartbeat")


class WorkLostError(ShoalError):
    """The job was cancelled, or another process has taken this work over."""


class WorkReturnedError(WorkLostError):
    """This worker is shutting down and gives its work back."""


class Heartbeat:
    """Gives heartbeats from a thread while its caller computes.

    It kills the process if that goes on with a cancelled job.

    Attributes:
        lost: Set once the work is not wanted any more.
    """

    def __init__(
        self,
        beat: Callable[[], bool],
        lease_seconds: float,
        work: str,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare.

        Args:
            beat: Gives one heartbeat; returns whether the work is still wanted.
            lease_seconds: Without a heartbeat for this long, the work counts as lost.
            work: What is worked on, for the message of WorkLostError.
            is_cancelled: Returns whether the job was cancelled.
        """
        self.beat = beat
        self.interval = min(lease_seconds / 3, BEAT_SECONDS)
        self.work = work
        self.is_cancelled = is_cancelled
        self.ended = threading.Event()
        self.lost = threading.Event()
        self.beating: Future[None] | None = None
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        self.beating = THREADS.submit(self._keep_beating)
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()

    @property
    def seconds(self) -> float:
        """Time since the work began."""
        return round(time.monotonic() - self.started, 3)

    def checkpoint(self) -> None:
        """Raise WorkLostError if the work is not wanted any more."""
        if self.lost.is_set():
            self.raise_lost()

    def raise_lost(self) -> NoReturn:
        """Raise WorkLostError."""
        raise WorkLostError(f"{self.work}: {NOT_WANTED}")

    def _keep_beating(self) -> None:
        while not self.ended.wait(self.interval):
            try:
                wanted = self.beat()
            except (RedisError, StoreUnavailableError, MemoryError):
                continue  # the next beat may succeed
            except Exception:
                logger.exception("could not give a heartbeat: %s", self.work)
                continue
            if not wanted:
                self.lost.set()
                self._kill_if_cancelled()
                return

    def _kill_if_cancelled(self) -> None:
        with suppress(RedisError, ShoalError):
            if not self.ended.wait(STOP_SECONDS) and self.is_cancelled():
                logger.warning(
                    "killing this process: its job was cancelled and it did not stop: %s", self.work
                )
                # The broker delivers its message again, and the ledger refuses the work.
                os.kill(os.getpid(), signal.SIGKILL)


class BatchHeartbeat(Heartbeat):
    """Keeps a batch for its process, until the worker shuts down."""

    def __init__(
        self, ledger: Ledger, wave: Wave, batch: int, shutdown_signal: ShutdownSignal | None = None
    ) -> None:
        self.shutdown_signal = shutdown_signal or ShutdownSignal()
        work = f"job={ledger.job_id} stage={wave} batch={batch}"
        super().__init__(
            lambda: ledger.batches.beat(wave, batch),
            ledger.lease_seconds,
            work,
            lambda: ledger.state() is State.CANCELLED,
        )

    def checkpoint(self) -> None:
        """Raise WorkLostError if the work is not wanted any more, or is to be given back."""
        super().checkpoint()
        if self.shutdown_signal.is_due():
            raise WorkReturnedError(f"{self.work}: this worker is shutting down")


class LeaseHeartbeat(Heartbeat):
    """Keeps a lease for its process."""

    def __init__(self, ledger: Ledger, lease: Lease) -> None:
        work = f"job={ledger.job_id} state={lease.state}"
        super().__init__(
            lambda: ledger.renew_lease(lease),
            ledger.lease_seconds,
            work,
            lambda: ledger.state() is State.CANCELLED,
        )
