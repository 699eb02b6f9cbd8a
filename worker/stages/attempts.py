"""An attempt at a batch: signs of life while it lasts, a reason if it fails, and the last one."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis import RedisError

from shoal.shared.errors import ShoalError
from shoal.shared.jobs import Stage
from shoal.shared.store import Commit, Ledger
from shoal.shared.store.refusals import PASSING
from shoal.worker.runtime.heartbeat import (
    NOT_WANTED,
    BatchHeartbeat,
    WorkLostError,
    WorkReturnedError,
)
from shoal.worker.runtime.workplace import Workplace

logger = logging.getLogger(__name__)

# A batch that has failed this often, or cost so many processes, is hopeless.
MOST_ATTEMPTS = 8


@contextmanager
def keep_batch(
    workplace: Workplace, ledger: Ledger, stage: Stage, batch: int
) -> Iterator[BatchHeartbeat]:
    """Keep a batch while it is worked on; note in the ledger why that failed, if it does."""
    work = {"job": ledger.job_id, "stage": stage, "batch": batch}
    try:
        with BatchHeartbeat(ledger, stage, batch, workplace.stop_sign) as heartbeat:
            yield heartbeat
    except WorkReturnedError:
        logger.info("handed back: the worker is to end", extra=work)
        with suppress(RedisError, ShoalError):  # its lease runs out
            ledger.return_batch(stage, batch)
        raise
    except WorkLostError:
        logger.info(NOT_WANTED, extra=work)
        raise
    except PASSING:
        end_attempt(ledger, stage, batch, None)
        raise
    except Exception as error:
        end_attempt(ledger, stage, batch, f"{type(error).__name__}: {error}")
        raise


def end_attempt(ledger: Ledger, stage: Stage, batch: int, error: str | None) -> None:
    """Note why an attempt failed, as far as Redis lets us."""
    with suppress(RedisError, ShoalError):
        ledger.end_attempt(stage, batch, error)


def log_batch(ledger: Ledger, stage: Stage, batch: int, **outcome: object) -> None:
    """Log what became of an attempt."""
    work = {"job": ledger.job_id, "stage": stage, "batch": batch}
    logger.info("batch", extra={**work, **outcome})


def describe_hopeless(ledger: Ledger, stage: Stage, batch: int) -> str:
    """Return in words why a batch is not tried again."""
    error = ledger.last_error(stage, batch)
    cause = error or "each time its process was lost, most likely for want of memory"
    return f"batch {batch} failed {MOST_ATTEMPTS} times while {stage}: {cause}"


def fail_hopeless(workplace: Workplace, ledger: Ledger, stage: Stage, detail: str) -> Commit:
    """Fail the job for a batch that the result cannot do without."""
    logger.error(detail, extra={"job": ledger.job_id, "stage": stage})
    if ledger.fail_stage(stage, f"{detail[:1].upper()}{detail[1:].rstrip('.')}."):
        workplace.sweeper.end_job(ledger.job_id)
    return Commit.STALE
