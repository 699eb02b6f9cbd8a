"""A project of the user's own that uses Celery, in a directory and an environment."""

import os
from pathlib import Path

from servers import find_free_port

# All that Celery 5.7 reads about where and how it works; a project sets some of it.
_VARIABLES = {
    "CELERY_BROKER_URL": "redis://127.0.0.1:{port}/0",
    "CELERY_BROKER_READ_URL": "redis://127.0.0.1:{port}/0",
    "CELERY_BROKER_WRITE_URL": "redis://127.0.0.1:{port}/0",
    "CELERY_RESULT_BACKEND": "redis://127.0.0.1:{port}/0",
    "CELERY_CONFIG_MODULE": "foreign",
    "CELERY_LOADER": "foreign:Loader",
    "CELERY_CUSTOM_WORKER_POOL": "foreign:Pool",
    "CELERY_WORKER_POOL": "custom",
    "CELERY_WORKER_QUEUES": "foreign",
    "CELERY_LOG_FILE": "/nowhere/celery.log",
    "DJANGO_SETTINGS_MODULE": "foreign",
    "BROKER_URL": "redis://127.0.0.1:{port}/0",
    "RESULT_BACKEND": "redis://127.0.0.1:{port}/0",
    "LOADER": "foreign:Loader",
    "CONFIG_MODULE": "foreign",
    "APP": "foreign",
    "FORKED_BY_MULTIPROCESSING": "1",
    "REMAP_SIGTERM": "SIGQUIT",
}
_CONFIGURATION = 'broker_url = "redis://127.0.0.1:{port}/0"\ntask_default_queue = "foreign"\n'


def make_foreign_project(directory: Path) -> dict[str, str]:
    """Write a project whose Redis is not there; return its environment."""
    port = find_free_port()
    for name in ("celeryconfig.py", "foreign.py"):
        (directory / name).write_text(_CONFIGURATION.format(port=port))
    variables = {name: value.format(port=port) for name, value in _VARIABLES.items()}
    return os.environ | variables | {"PYTHONPATH": str(directory)}
