"""The messages to the workers, and how they are sent."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from uuid import uuid4

from shoal.shared.jobs import Wave
from shoal.shared.messaging.envelope import NO_PART, Part, Task, encode_task, make_body
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store.keys import chord_size_key, queue_key
from shoal.shared.store.protocols import read_protocol
from shoal.shared.tasks import (
    BATCH_TASK,
    CALLBACK_TASK,
    DRAW_PLOTS,
    PROJECT_IMAGES,
    QUEUES,
    SWEEP,
    priority_of,
)

# A chord's counters must outlive the longest gap between two batches.
CHORD_SECONDS = 7 * 86_400
# Sent in one round trip. The first ones are received while the others are made.
AT_ONCE = 64


class Messages:
    """Sends the work of jobs to the workers.

    Each message goes to a queue of its job's protocol, and says so. Every method raises
    StoreUnavailableError if Redis refuses for now; the sweeper sends what was not sent.
    """

    def __init__(self, client: RedisClient) -> None:
        self.client = client

    def send_wave(self, job_id: str, wave: Wave, n_batches: int) -> None:
        """Send all batches of a wave as a chord, with its callback."""
        group, of_job = str(uuid4()), self._address(job_id)
        # A failed chord does not fail the job: the sweeper sends what is missing.
        errback = of_job.callback(SWEEP)
        callback = of_job.callback(CALLBACK_TASK[wave], job_id, task_id=f"{job_id}:{wave}:callback")
        body = make_body(group, callback, errback)
        # Before the first part is counted: Celery compares each count with it.
        self.client.set(chord_size_key(group), n_batches, ex=CHORD_SECONDS)
        self._send(
            (of_job.batch(job_id, wave, batch), Part(group, batch, body))
            for batch in range(n_batches)
        )

    def send_batches(self, job_id: str, wave: Wave, batches: Iterable[int]) -> None:
        """Send single batches again, outside of their chord."""
        of_job = self._address(job_id)
        self._send((of_job.batch(job_id, wave, batch), NO_PART) for batch in batches)

    def send_callback(self, job_id: str, wave: Wave) -> None:
        """Send the callback of a wave, whatever its chord has counted."""
        self.send(self._address(job_id).callback(CALLBACK_TASK[wave], job_id))

    def send_projection(self, job_id: str, token: str) -> None:
        """Ask for the projection of new images, by the token of the question."""
        self.send(self._address(job_id).callback(PROJECT_IMAGES, job_id, token))

    def send_plots(self, job_id: str) -> None:
        """Ask for the plots of a finished job with the names that its clusters have now."""
        self.send(self._address(job_id).callback(DRAW_PLOTS, job_id))

    def send(self, task: Task) -> None:
        """Send one task, outside of a chord."""
        self._send([(task, NO_PART)])

    def _address(self, job_id: str) -> "_Address":
        return _Address(read_protocol(self.client, job_id))

    def _send(self, tasks: Iterable[tuple[Task, Part]]) -> None:
        left: Iterator[tuple[Task, Part]] = iter(tasks)
        while several := list(islice(left, AT_ONCE)):
            with self.client.pipeline(transaction=False) as pipe:
                for task, part in several:
                    pipe.lpush(queue_key(task.queue, task.priority), encode_task(task, part))
                pipe.execute()


@dataclass(frozen=True)
class _Address:
    """Where the messages of jobs of one protocol go."""

    protocol: int

    def batch(self, job_id: str, wave: Wave, batch: int) -> Task:
        # With a stored result, a child that dies before counting would hang the chord.
        return Task(
            BATCH_TASK[wave],
            (job_id, batch),
            QUEUES["batches"][self.protocol],
            f"{job_id}:{wave}:{batch}",
            priority_of(batch),
            ignores_result=True,
            protocol=self.protocol,
        )

    def callback(self, name: str, *args: str, task_id: str = "") -> Task:
        queue = QUEUES["callbacks"][self.protocol]
        return Task(name, args, queue, task_id, protocol=self.protocol)
