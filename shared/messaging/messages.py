"""The messages to the workers, and how they are sent."""

from collections.abc import Iterable, Iterator
from itertools import islice
from uuid import uuid4

from shoal.shared.jobs import Wave
from shoal.shared.messaging.envelope import NO_PART, Part, Task, encode_task, make_body
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store.keys import chord_size_key, queue_key
from shoal.shared.tasks import (
    BATCH_TASK,
    BATCHES,
    CALLBACK_TASK,
    CALLBACKS,
    DRAW_PLOTS,
    PROJECT_IMAGES,
    SWEEP,
    priority_of,
)

# A chord's counters must outlive the longest gap between two batches.
CHORD_SECONDS = 7 * 86_400
# Sent in one round trip. The first ones are received while the others are made.
AT_ONCE = 64


class Messages:
    """Sends the work of jobs to the workers.

    Every method raises StoreUnavailableError if Redis refuses for now; the sweeper sends what was
    not sent.
    """

    def __init__(self, client: RedisClient) -> None:
        self.client = client

    def send_wave(self, job_id: str, wave: Wave, n_batches: int) -> None:
        """Send all batches of a wave as a chord, with its callback."""
        group = str(uuid4())
        # A failed chord does not fail the job: the sweeper sends what is missing.
        errback = Task(SWEEP, (), CALLBACKS)
        body = make_body(group, _callback(job_id, wave, f"{job_id}:{wave}:callback"), errback)
        # Before the first part is counted: Celery compares each count with it.
        self.client.set(chord_size_key(group), n_batches, ex=CHORD_SECONDS)
        self._send(
            (_batch(job_id, wave, batch), Part(group, batch, body)) for batch in range(n_batches)
        )

    def send_batches(self, job_id: str, wave: Wave, batches: Iterable[int]) -> None:
        """Send single batches again, outside of their chord."""
        self._send((_batch(job_id, wave, batch), NO_PART) for batch in batches)

    def send_callback(self, job_id: str, wave: Wave) -> None:
        """Send the callback of a wave, whatever its chord has counted."""
        self.send(_callback(job_id, wave))

    def send_projection(self, job_id: str, token: str) -> None:
        """Ask for the projection of new images, by the token of the question."""
        self.send(Task(PROJECT_IMAGES, (job_id, token), CALLBACKS))

    def send_plots(self, job_id: str) -> None:
        """Ask for the plots of a finished job with the names that its clusters have now."""
        self.send(Task(DRAW_PLOTS, (job_id,), CALLBACKS))

    def send(self, task: Task) -> None:
        """Send one task, outside of a chord."""
        self._send([(task, NO_PART)])

    def _send(self, tasks: Iterable[tuple[Task, Part]]) -> None:
        left: Iterator[tuple[Task, Part]] = iter(tasks)
        while several := list(islice(left, AT_ONCE)):
            with self.client.pipeline(transaction=False) as pipe:
                for task, part in several:
                    pipe.lpush(queue_key(task.queue, task.priority), encode_task(task, part))
                pipe.execute()


def _batch(job_id: str, wave: Wave, batch: int) -> Task:
    # With a stored result, a child that dies before counting would hang the chord.
    return Task(
        BATCH_TASK[wave],
        (job_id, batch),
        BATCHES,
        f"{job_id}:{wave}:{batch}",
        priority_of(batch),
        ignores_result=True,
    )


def _callback(job_id: str, wave: Wave, task_id: str = "") -> Task:
    return Task(CALLBACK_TASK[wave], (job_id,), CALLBACKS, task_id)
