"""What the two callbacks of a job have in common: a lease, and an end that is told."""

import logging
from collections.abc import Callable
from contextlib import suppress

from redis import RedisError

from shoal.shared.errors import JobFailedError, ShoalError
from shoal.shared.jobs import State, Wave
from shoal.shared.store import Lease, Ledger
from shoal.shared.store.errors import PASSING
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import NOT_WANTED, LeaseKeeper, WorkLostError

logger = logging.getLogger(__name__)

# A callback whose process was lost this often is not tried again.
MOST_CALLBACK_ATTEMPTS = 5

Work = Callable[[Lease, LeaseKeeper], None]


def run_callback(context: WorkerContext, job_id: str, wave: Wave, work: Work) -> None:
    """Do what follows ``wave`` under a lease, so that it is done once.

    A second delivery steps aside, and a late finisher changes nothing. ``work`` fails the
    job by raising JobFailedError; when Redis is away or full, the sweeper sends the callback
    again, and the attempt does not count.
    """
    ledger = context.ledger(job_id)
    lease = ledger.acquire_lease(wave)
    if lease is None:
        return
    with LeaseKeeper(ledger, lease) as keeper:
        error = _find_error(lease, keeper, work)
    if error:
        _fail_job(context, ledger, lease, error)
    seconds = keeper.seconds
    if not error:
        with suppress(RedisError, ShoalError):
            ledger.note_seconds(lease.state, seconds)
    logger.info(
        "callback",
        extra={
            "job": job_id,
            "stage": lease.state,
            "attempt": lease.attempt,
            "seconds": seconds,
            "error": error,
        },
    )


def _find_error(lease: Lease, keeper: LeaseKeeper, work: Work) -> str | None:
    """Do the work; return why it cannot be done, if so."""
    if lease.attempt > MOST_CALLBACK_ATTEMPTS:
        return (
            f"The process at work in the state {lease.state} was lost {MOST_CALLBACK_ATTEMPTS}"
            " times, most likely for want of memory: give the workers more, or"
            " lower SHOAL_FIT_MEMORY."
        )
    try:
        work(lease, keeper)
    except WorkLostError:
        logger.info(NOT_WANTED, extra={"job": keeper.ledger.job_id, "stage": lease.state})
    except JobFailedError as error:
        return str(error)
    except (*PASSING, RedisError) as error:
        if isinstance(error, PASSING):
            with suppress(RedisError, ShoalError):
                keeper.ledger.return_attempt(lease)
        raise
    except MemoryError:
        return "The worker has too little memory for the fit: lower SHOAL_FIT_MEMORY."
    except Exception as error:
        # A defect of ours would fail the same way for ever: the job says so and ends.
        logger.exception(
            "callback failed", extra={"job": keeper.ledger.job_id, "stage": lease.state}
        )
        return f"Unexpected {type(error).__name__} while {lease.state}: {error}"
    return None


def _fail_job(context: WorkerContext, ledger: Ledger, lease: Lease, error: str) -> None:
    """End the job without a result."""
    if ledger.advance(lease, State.FAILED, {"error": error}):
        context.sweeper.end_job(ledger.job_id)
