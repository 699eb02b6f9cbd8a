"""The backlog: how much work waits and how much runs, by the ledgers of the active jobs."""

from dataclasses import dataclass

from shoal.shared.jobs import Wave
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import scripts
from shoal.shared.store.keys import JobKeys, active, queue_keys
from shoal.shared.tasks import KNOWN, QUEUES


@dataclass(frozen=True)
class Backlog:
    """What waits and what runs.

    Queues alone do not tell it: workers take messages before they begin, and a message may be
    there twice.

    Attributes:
        batches_waiting: Batches of the waves at hand that no process works on.
        batches_running: Batches with a heartbeat.
        callbacks_waiting: Fits and last stages, searches and plots that wait for a worker.
        callbacks_running: Fits and last stages with a heartbeat.
        idle_seconds: The longest time for which nobody has worked on an active job.
        work: All that waits and runs; 0 if no worker is needed.
    """

    batches_waiting: int
    batches_running: int
    callbacks_waiting: int
    callbacks_running: int
    idle_seconds: float
    work: int


def read_backlog(client: RedisClient) -> Backlog:
    """Read the backlog, in one round trip; damaged jobs count nothing.

    Jobs of a protocol that workers of this version do not take count nothing either.
    """
    any_job = JobKeys("%s")
    patterns = (any_job.job, any_job.lease, *map(any_job.running, Wave))
    queues = (key for queue in QUEUES["callbacks"].values() for key in queue_keys(queue))
    asked = [*map(active, KNOWN), *queues]
    waiting, running, callbacks, leased, idle = scripts.run(
        client, "read_backlog", asked, *patterns, len(KNOWN)
    )
    work = waiting + running + callbacks + leased
    return Backlog(waiting, running, callbacks, leased, round(float(idle), 1), work)
