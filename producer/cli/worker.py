"""``shoal worker``: this process becomes a Celery worker."""

import os
import sys

from shoal.producer.local import CELERY_OPTIONS
from shoal.shared.connection import check_url
from shoal.shared.cores import count_cores
from shoal.shared.settings import read_settings


def become_worker(concurrency: int | None) -> None:
    """Turn this process into a worker of the Redis that is set, until it is told to stop.

    It is Celery's own: signals reach it as any Celery worker.

    Args:
        concurrency: Processes that work; None is one a core.

    Raises:
        SettingsError: A ``SHOAL_`` variable does not parse.
    """
    if url := read_settings().redis_url:
        check_url(url)
    # Two workers of one machine need two names.
    name = f"worker-{os.getpid()}@%h"
    options = ["-c", str(concurrency or count_cores()), "-n", name, "-l", "info", *CELERY_OPTIONS]
    # -P, and our own import before Celery's: both it and Python look in the current directory
    # first, where anybody's `worker` or `celery` may lie.
    code = "import shoal.worker.app; from celery.__main__ import main; main()"
    command = [sys.executable, "-P", "-c", code, "-A", "shoal.worker.app", "worker", *options]
    os.execv(sys.executable, command)  # noqa: S606  no shell is wanted
