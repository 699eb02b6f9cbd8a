"""The messages to the workers, and how they are sent."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from celery import Celery, chord
from celery.canvas import Signature
from kombu.exceptions import OperationalError
from redis import RedisError

from shoal.shared.errors import ConnectionLostError
from shoal.shared.jobs import Wave
from shoal.shared.redis.client import explain
from shoal.shared.tasks import (
    BATCH_TASK,
    BATCHES,
    CALLBACK_TASK,
    CALLBACKS,
    PROJECT_IMAGES,
    SWEEP,
    priority_of,
)


@contextmanager
def _explained() -> Iterator[None]:
    """Raise StoreUnavailableError for what passes, as our own client of Redis does."""
    try:
        yield
    except OperationalError as error:
        # kombu raises this, too, if Redis refuses what it sends first.
        lost = ConnectionLostError(f"Redis does not answer ({error}).")
        raise ((error.__cause__ and explain(error.__cause__)) or lost) from error
    except RedisError as error:
        if passing := explain(error):
            raise passing from error
        raise


class Messages:
    """Sends the work of jobs to the workers.

    Every method raises StoreUnavailableError if Redis refuses for now; the sweeper sends what was
    not sent.
    """

    def __init__(self, app: Celery) -> None:
        self.app = app

    def send_wave(self, job_id: str, wave: Wave, n_batches: int) -> None:
        """Send all batches of a wave as a chord, with its callback."""
        header = [self._batch(job_id, wave, batch) for batch in range(n_batches)]
        body = self._callback(job_id, wave)
        # A failed chord does not fail the job: the sweeper sends what is missing.
        body.link_error(self.app.signature(SWEEP, queue=CALLBACKS, immutable=True))
        batches = chord(header, body, app=self.app)
        with _explained():
            batches.apply_async(task_id=f"{job_id}:{wave}:callback")

    def send_batches(self, job_id: str, wave: Wave, batches: Iterable[int]) -> None:
        """Send single batches again, outside of their chord."""
        with _explained():
            for batch in batches:
                self._batch(job_id, wave, batch).apply_async()

    def send_callback(self, job_id: str, wave: Wave) -> None:
        """Send the callback of a wave, whatever its chord has counted."""
        with _explained():
            self._callback(job_id, wave).apply_async()

    def send_projection(self, job_id: str, token: str) -> None:
        """Ask for the projection of new images, by the token of the question."""
        arguments = (job_id, token)
        with _explained():
            self.app.signature(
                PROJECT_IMAGES, args=arguments, queue=CALLBACKS, immutable=True
            ).apply_async()

    def _batch(self, job_id: str, wave: Wave, batch: int) -> Signature:
        return self.app.signature(
            BATCH_TASK[wave],
            args=(job_id, batch),
            queue=BATCHES,
            priority=priority_of(batch),
            immutable=True,
            task_id=f"{job_id}:{wave}:{batch}",
            # With a stored result, a child that dies before counting would hang the chord.
            ignore_result=True,
        )

    def _callback(self, job_id: str, wave: Wave) -> Signature:
        # Immutable: Celery would copy the results of all batches into this message.
        return self.app.signature(
            CALLBACK_TASK[wave], args=(job_id,), queue=CALLBACKS, immutable=True
        )
