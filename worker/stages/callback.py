"""What the two callbacks of a job have in common: they run under a lease, and end in a state."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from redis import RedisError

from shoal.shared.errors import (
    JobFailedError,
    ShardLostError,
    ShoalError,
    StoreUnavailableError,
    TooLargeError,
    UsageError,
    show_call,
)
from shoal.shared.jobs import State, Wave
from shoal.shared.store import Lease, Ledger
from shoal.worker.memory import describe_kills
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import NOT_WANTED, LeaseHeartbeat, WorkLostError
from shoal.worker.stages.attempts import note_refusal

logger = logging.getLogger(__name__)

# A callback whose process was lost this often is not tried again.
MOST_CALLBACK_ATTEMPTS = 5


@dataclass(frozen=True)
class HeldLease:
    """The lease under which a callback runs."""

    ledger: Ledger
    lease: Lease
    heartbeat: LeaseHeartbeat

    @property
    def token(self) -> str:
        """Names what is written under this lease."""
        return self.lease.token

    @property
    def attempt(self) -> int:
        """How often the callback was started, this time included."""
        return self.lease.attempt

    def checkpoint(self) -> None:
        """Raise WorkLostError if the job was cancelled or another process has the lease."""
        self.heartbeat.checkpoint()

    def advance(self, state: State, **fields: str | int) -> None:
        """Leave the lease's state for ``state`` and set fields of the job, in one step.

        Raises:
            WorkLostError: The lease was lost, and nothing was changed.
        """
        if not self.ledger.advance(self.lease, state, fields, self.heartbeat.seconds):
            self.heartbeat.raise_lost()


@contextmanager
def hold_lease(context: WorkerContext, job_id: str, wave: Wave) -> Iterator[HeldLease | None]:
    """Hold the lease for what follows ``wave``, so that it is done once; None if not to be done.

    A second delivery gets None, and a late finisher changes nothing. The job fails if the context
    is left by JobFailedError or an unexpected error. If Redis is unavailable or full, the sweeper
    sends the callback again, and the attempt does not count.
    """
    ledger = context.ledger(job_id)
    lease = ledger.acquire_lease(wave)
    if lease is None:
        yield None
        return
    error = None
    if lease.attempt > 1:
        event = {"job": job_id, "stage": lease.state, "attempt": lease.attempt}
        logger.warning("callback begun anew: its process was lost", extra=event)
    with LeaseHeartbeat(ledger, lease) as heartbeat:
        if lease.attempt > MOST_CALLBACK_ATTEMPTS:
            error = _describe_lost_processes(lease)
            yield None
        else:
            try:
                context.check_place(job_id)
                yield HeldLease(ledger, lease, heartbeat)
            except Exception as raised:
                error = _explain(raised, ledger, lease)
    _end(context, ledger, lease, heartbeat.seconds, error)


def _describe_lost_processes(lease: Lease) -> str:
    limit = describe_kills()
    cause = f"and {limit}" if limit else "most likely because memory ran out: give the workers more"
    return (
        f"The process at work in the state {lease.state} was lost {MOST_CALLBACK_ATTEMPTS} times,"
        f" {cause}, or lower SHOAL_FIT_MEMORY."
    )


def _explain(raised: Exception, ledger: Ledger, lease: Lease) -> str | None:
    """Return why the job fails; None if only this process is to stop.

    Raises:
        RedisError: Redis is unavailable or refuses: the callback is sent again.
        ShoalError: The same, in our words.
    """
    event = {"job": ledger.job_id, "stage": lease.state}
    match raised:
        case WorkLostError():
            logger.info(NOT_WANTED, extra=event)
            return None
        case JobFailedError() | TooLargeError():
            return str(raised)
        case ShardLostError() | UsageError():
            detail, call = str(raised).rstrip("."), show_call(ledger.job_id, "retry")
            return f"{detail[:1].upper()}{detail[1:]} ({call} continues the job)."
        case MemoryError():
            return "The worker has too little memory for the fit: lower SHOAL_FIT_MEMORY."
    if isinstance(raised, StoreUnavailableError):
        with suppress(RedisError, ShoalError):
            ledger.return_attempt(lease)
        note_refusal(ledger, raised)
    if isinstance(raised, (StoreUnavailableError, RedisError)):
        raise raised
    # A defect of ours would fail the same way every time: the job says so and ends.
    logger.error("callback failed", exc_info=raised, extra=event)
    return f"Unexpected {type(raised).__name__} while {lease.state}: {raised}"


def _end(
    context: WorkerContext, ledger: Ledger, lease: Lease, seconds: float, error: str | None
) -> None:
    if error and ledger.advance(lease, State.FAILED, {"error": error}):
        context.sweeper.end_job(ledger.job_id)
    event = {"job": ledger.job_id, "stage": lease.state, "attempt": lease.attempt}
    logger.info("callback", extra={**event, "seconds": seconds, "error": error})
