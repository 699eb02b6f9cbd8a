"""``shoal worker``: this process becomes a Celery worker."""

import os
import sys

from shoal.producer.local.environment import worker_environment
from shoal.shared.cores import count_cores
from shoal.shared.redis.connection import check_url
from shoal.shared.server.embedded import home_of
from shoal.shared.settings import read_settings

# Workers know each other through the ledger; Celery's own means cost a second at the start.
CELERY_OPTIONS = ("--without-gossip", "--without-mingle")
NO_EVENTS = ("--without-heartbeat",)
# A monitor knows by its heartbeats that a worker is online.
EVENTS = ("--task-events",)


def become_worker(concurrency: int | None, *, events: bool = False) -> None:
    """Replace this process with a Celery worker, which handles signals as Celery does.

    Args:
        concurrency: Number of processes; None is one per core.
        events: Whether monitors such as Flower are told of tasks and heartbeats.

    Raises:
        SettingsError: A ``SHOAL_`` variable does not parse.
    """
    settings = read_settings()
    if settings.redis_url:
        check_url(settings.redis_url)
    else:
        home_of(settings)  # there must be one
    # Two workers on one machine need different names.
    name = f"worker-{os.getpid()}@%h"
    options = ["-c", str(concurrency or count_cores()), "-n", name, "-l", "info"]
    options += [*CELERY_OPTIONS, *(EVENTS if events else NO_EVENTS)]
    # -P, and our own import before Celery's: both Python and Celery look for modules in the
    # current directory first, which may have a `worker` or `celery` of someone else.
    code = "import shoal.worker.app; from celery.__main__ import main; main()"
    command = [sys.executable, "-P", "-c", code, "-A", "shoal.worker.app", "worker", *options]
    os.execve(sys.executable, command, worker_environment())  # noqa: S606  no shell is needed
