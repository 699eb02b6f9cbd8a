"""The workers' entry point: ``celery -A shoal.worker.app worker``."""

import importlib
import logging
from contextlib import ExitStack, closing
from typing import Any

import billiard.pool
from celery.signals import (
    after_setup_logger,
    celeryd_after_setup,
    worker_shutdown,
    worker_shutting_down,
)
from logfmter import Logfmter
from redis.exceptions import AuthenticationError

import shoal.worker.blas  # noqa: F401  before numpy
from shoal.shared.connection import LOST, QUICK_RETRIES, connect, describe_faults
from shoal.shared.messaging.broker import make_app
from shoal.shared.server.embedded import hold_server, server_url
from shoal.shared.settings import read_settings
from shoal.shared.tasks import CALLBACKS
from shoal.worker.memory import keep_freed_memory
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.sweep import SweeperStep
from shoal.worker.tasks import add_tasks

LOG_KEYS = {"at": "asctime", "level": "levelname", "process": "processName"}
# What a callback needs, in the order of need; together 3 s to import.
CALLBACK_MODULES = (
    "shoal.worker.model.fitting",
    "shoal.worker.plots",
    "shoal.worker.findings.duplicates",
)

# A child that ends waits until its results are read, which a main process that ends may do no
# more: by default 30 s, every fourth time in a trial. Nothing is lost, the ledger has them.
billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 10  # of 0.1 s each
keep_freed_memory()

settings = read_settings()
url = settings.redis_url or server_url(settings)
app = make_app(url)
app.steps["worker"].add(SweeperStep)
context = WorkerContext(app, settings, connect(url))
add_tasks(app, context)
held = ExitStack()


@celeryd_after_setup.connect
def prepare(instance: Any, **_: object) -> None:
    """Import what the tasks need before the pool forks, so that its processes share it."""
    try:
        if not settings.redis_url:
            held.enter_context(hold_server(settings))
        if CALLBACKS in instance.app.amqp.queues.consume_from:
            for module in CALLBACK_MODULES:
                importlib.import_module(module)
        _refuse_faults()
        if settings.embedding_model:
            importlib.import_module("shoal.worker.extractors.embedding").check_model(
                settings.embedding_model
            )
    # Celery logs what a signal's handler raises, and starts all the same.
    except Exception as error:
        raise SystemExit(f"The worker cannot start: {error}") from error


def _refuse_faults() -> None:
    """End with a clear message if Redis is set up to lose work."""
    with closing(connect(url, QUICK_RETRIES)) as client:
        try:
            faults = describe_faults(client)
        except AuthenticationError:
            raise
        except LOST:
            return  # the worker waits for Redis, and the sweeper's step looks again
    if faults:
        raise SystemExit("\n".join(faults))


@after_setup_logger.connect
def set_up_log(logger: logging.Logger, **_: object) -> None:
    """Make the log one line an event, as key=value: `grep job=…` follows a job."""
    for handler in logger.handlers:
        handler.setFormatter(Logfmter(list(LOG_KEYS), mapping=LOG_KEYS))
    # Celery's own two lines for each message say less than ours.
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


@worker_shutting_down.connect
def send_shutdown_signal(**_: object) -> None:
    """Let the pool hand back what would take long to end."""
    context.shutdown_signal.send()


@worker_shutdown.connect
def release(**_: object) -> None:
    """Let go of the embedded server."""
    held.close()
