"""An attempt at a batch: heartbeats while it lasts, and what is noted if it fails."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import gethostname

from redis import RedisError

from shoal.shared.errors import (
    ShardsUnavailableError,
    ShoalError,
    SourceUnavailableError,
    StoreUnavailableError,
)
from shoal.shared.jobs import Wave
from shoal.shared.store import Commit, Ledger
from shoal.worker.memory import LIMIT_REACHED, describe_kills
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import (
    NOT_WANTED,
    BatchHeartbeat,
    WorkLostError,
    WorkReturnedError,
)

logger = logging.getLogger(__name__)

# A batch that failed or killed its process this often is not tried again.
MOST_BATCH_ATTEMPTS = 8


@contextmanager
def keep_batch(
    context: WorkerContext, ledger: Ledger, wave: Wave, batch: int
) -> Iterator[BatchHeartbeat]:
    """Give heartbeats of a batch while it is worked on; note in the ledger why that failed."""
    work = {"job": ledger.job_id, "stage": wave, "batch": batch}
    try:
        with BatchHeartbeat(ledger, wave, batch, context.shutdown_signal) as heartbeat:
            yield heartbeat
    except WorkReturnedError:
        logger.info("gave the batch back: the worker is shutting down", extra=work)
        with suppress(RedisError, ShoalError):  # else its lease expires
            ledger.batches.give_back(wave, batch)
        raise
    except WorkLostError:
        logger.info(NOT_WANTED, extra=work)
        raise
    except StoreUnavailableError as error:
        end_attempt(ledger, wave, batch, None)
        note_refusal(ledger, error)
        raise
    except Exception as error:
        end_attempt(ledger, wave, batch, f"{type(error).__name__}: {error}")
        raise


def end_attempt(ledger: Ledger, wave: Wave, batch: int, error: str | None) -> None:
    """Note why an attempt failed, if Redis can be reached."""
    with suppress(RedisError, ShoalError):
        ledger.batches.end_attempt(wave, batch, error)


def note_refusal(ledger: Ledger, error: StoreUnavailableError) -> None:
    """Note why a job waits, where nobody but its workers is told: by where its data is kept."""
    if isinstance(error, (ShardsUnavailableError, SourceUnavailableError)):
        with suppress(RedisError, ShoalError):
            ledger.note_refusal(f"on {gethostname()}, {error}")


def log_batch(ledger: Ledger, wave: Wave, batch: int, **outcome: object) -> None:
    """Log the outcome of an attempt."""
    work = {"job": ledger.job_id, "stage": wave, "batch": batch}
    logger.info("batch", extra={**work, **outcome})


def log_lost(ledger: Ledger, wave: Wave, batch: int, attempt: int) -> None:
    """Log that a batch is begun anew, and what became of it before."""
    cause = ledger.batches.last_error(wave, batch) or describe_kills() or "its process was lost"
    work = {"job": ledger.job_id, "stage": wave, "batch": batch}
    logger.warning("batch begun anew", extra={**work, "attempt": attempt, "cause": cause})


def describe_hopeless(ledger: Ledger, wave: Wave, batch: int) -> str:
    """Say why a batch is not tried again."""
    error = ledger.batches.last_error(wave, batch) or describe_kills()
    cause = error or "each time its process was lost, most likely because memory ran out"
    return f"batch {batch} failed {MOST_BATCH_ATTEMPTS} times while {wave}: {cause}"


def is_of_container(detail: str) -> bool:
    """Return whether a batch is given up for the memory of a container, not for its images."""
    return LIMIT_REACHED in detail


def fail_hopeless(context: WorkerContext, ledger: Ledger, wave: Wave, detail: str) -> Commit:
    """Fail the job because of a batch that cannot be left out."""
    logger.error(detail, extra={"job": ledger.job_id, "stage": wave})
    if ledger.fail_wave(wave, f"{detail[:1].upper()}{detail[1:].rstrip('.')}."):
        context.sweeper.end_job(ledger.job_id)
    return Commit.STALE
