"""An attempt at a batch: signs of life while it lasts, a reason if it fails, and the last one."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis import RedisError

from shoal.shared.errors import ShoalError
from shoal.shared.jobs import Wave
from shoal.shared.store import Commit, Ledger
from shoal.shared.store.errors import PASSING
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import (
    NOT_WANTED,
    BatchHeartbeat,
    WorkLostError,
    WorkReturnedError,
)

logger = logging.getLogger(__name__)

# A batch that has failed this often, or cost so many processes, is hopeless.
MOST_BATCH_ATTEMPTS = 8


@contextmanager
def keep_batch(
    context: WorkerContext, ledger: Ledger, wave: Wave, batch: int
) -> Iterator[BatchHeartbeat]:
    """Keep a batch while it is worked on; note in the ledger why that failed, if it does."""
    work = {"job": ledger.job_id, "stage": wave, "batch": batch}
    try:
        with BatchHeartbeat(ledger, wave, batch, context.shutdown_signal) as heartbeat:
            yield heartbeat
    except WorkReturnedError:
        logger.info("handed back: the worker is to end", extra=work)
        with suppress(RedisError, ShoalError):  # its lease runs out
            ledger.return_batch(wave, batch)
        raise
    except WorkLostError:
        logger.info(NOT_WANTED, extra=work)
        raise
    except PASSING:
        end_attempt(ledger, wave, batch, None)
        raise
    except Exception as error:
        end_attempt(ledger, wave, batch, f"{type(error).__name__}: {error}")
        raise


def end_attempt(ledger: Ledger, wave: Wave, batch: int, error: str | None) -> None:
    """Note why an attempt failed, as far as Redis lets us."""
    with suppress(RedisError, ShoalError):
        ledger.end_attempt(wave, batch, error)


def log_batch(ledger: Ledger, wave: Wave, batch: int, **outcome: object) -> None:
    """Log what became of an attempt."""
    work = {"job": ledger.job_id, "stage": wave, "batch": batch}
    logger.info("batch", extra={**work, **outcome})


def describe_hopeless(ledger: Ledger, wave: Wave, batch: int) -> str:
    """Return in words why a batch is not tried again."""
    error = ledger.last_error(wave, batch)
    cause = error or "each time its process was lost, most likely for want of memory"
    return f"batch {batch} failed {MOST_BATCH_ATTEMPTS} times while {wave}: {cause}"


def fail_hopeless(context: WorkerContext, ledger: Ledger, wave: Wave, detail: str) -> Commit:
    """Fail the job for a batch that the result cannot do without."""
    logger.error(detail, extra={"job": ledger.job_id, "stage": wave})
    if ledger.fail_wave(wave, f"{detail[:1].upper()}{detail[1:].rstrip('.')}."):
        context.sweeper.end_job(ledger.job_id)
    return Commit.STALE
