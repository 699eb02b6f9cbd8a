"""The environment and the options of workers: nothing of the user's changes how Celery works."""

import os

# Beside those that begin with CELERY_.
CELERY_VARIABLES = {
    *("APP", "BROKER_URL", "CONFIG_MODULE", "LOADER", "RESULT_BACKEND", "SKIP_CHECKS"),
    *("DJANGO_SETTINGS_MODULE", "FORKED_BY_MULTIPROCESSING", "REMAP_SIGTERM"),
}


def worker_environment() -> dict[str, str]:
    """Return the environment of a worker, without what changes how Celery works.

    A project of the user's own that uses Celery may have set it; and Celery's workers set some of
    it for all processes that they start, which may use Shoal.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CELERY_") and name not in CELERY_VARIABLES
    }
