"""The entry point of workers: ``celery -A shoal.worker.app worker``."""

import gc
import importlib
import logging
import os
import sys
from collections.abc import Collection, Mapping
from contextlib import ExitStack, closing
from typing import Any, NoReturn

import billiard.pool
from celery.signals import (
    after_setup_logger,
    celeryd_after_setup,
    celeryd_init,
    worker_shutdown,
    worker_shutting_down,
)
from redis.exceptions import AuthenticationError

import shoal.worker.blas  # noqa: F401  before numpy
from shoal.shared.cores import count_cores
from shoal.shared.encoding import NOT_UTF8, UTF8_MODE, uses_utf8
from shoal.shared.errors import ConnectionLostError, SettingsError
from shoal.shared.messaging.broker import make_app
from shoal.shared.output.log import LogLine, format_message, log_to_stderr, make_formatter
from shoal.shared.output.streams import take_any_name
from shoal.shared.redis.connection import (
    QUICK_RETRIES,
    connect,
    describe_faults,
    describe_refusal,
)
from shoal.shared.server.embedded import hold_server, server_url
from shoal.shared.server.places import find_place
from shoal.shared.settings import LogFormat, Settings, read_settings
from shoal.shared.tasks import BATCHES, CALLBACKS, QUEUES, REFUSAL
from shoal.worker.memory import describe_shortage, keep_freed_memory
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.deferral import import_modules
from shoal.worker.runtime.hangup import HangupStep
from shoal.worker.runtime.place_trial import try_place
from shoal.worker.runtime.sweep import SweeperStep
from shoal.worker.runtime.traces import start_tracing
from shoal.worker.tasks import add_tasks

# What the callbacks need, in the order of use; 2 s to import in all.
CALLBACK_MODULES = (
    "shoal.worker.model.fitting",
    "shoal.worker.findings.duplicates",
)
# A quarter of that time, of which scikit-learn needs two functions that are not called here.
DEFERRED = "scipy.stats"
# Labels are worth more than plots: a worker does without them where matplotlib cannot be used.
PLOTS = "shoal.worker.plots"

# A child process waits at its end until its results are read, which a main process that shuts
# down may not do: 30 s by default, one time in four in a trial. Nothing is lost: the ledger has it.
billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 10  # of 0.1 s each
keep_freed_memory()
take_any_name(sys.__stdout__)  # Celery's banner has the URL, which may name a socket


def _refuse(reason: str, log_format: LogFormat) -> NoReturn:
    """End this process with a message; nobody would see that of an exception.

    Celery redirects standard error, and passes no message on.
    """
    line = format_message(log_format, "CRITICAL", f"{REFUSAL}{reason}")
    print(line, file=sys.__stderr__, flush=True)
    raise SystemExit(1)


def _read_settings() -> Settings:
    try:
        return read_settings()
    except SettingsError as error:
        _refuse(str(error), LogFormat.LOGFMT)


settings = _read_settings()
try:
    url = settings.redis_url or server_url(settings)
    app = make_app(url)
    client = connect(url)
    place = find_place(settings, client, is_embedded=not settings.redis_url)
except SettingsError as error:
    _refuse(str(error), settings.log_format)
app.steps["worker"].update((SweeperStep, HangupStep))
context = WorkerContext(settings, client, place)
add_tasks(app, context)
held = ExitStack()


@celeryd_init.connect
def name_worker(sender: str, options: Mapping[str, Any], **_: object) -> None:
    """Give the log the worker's name, and say what the kernel may soon end this process for.

    Celery warns before it has set the log up.
    """
    LogLine.worker = sender
    log_to_stderr(settings.log_format)
    if shortage := describe_shortage(options.get("concurrency") or count_cores()):
        logging.getLogger(__name__).warning(shortage)


@celeryd_after_setup.connect
def prepare(instance: Any, **_: object) -> None:
    """Import what the tasks need before the pool forks, so that its processes share the memory."""
    if settings.log_format is LogFormat.JSON:
        instance.quiet = True  # Celery's banner is no JSON
    try:
        if not uses_utf8():
            _refuse(NOT_UTF8, settings.log_format)
        os.environ.update(UTF8_MODE)  # for decoders, which are new processes
        queues = _choose_queues(instance.app.amqp.queues)
        if CALLBACKS in queues:
            import_modules(CALLBACK_MODULES, DEFERRED)
            _import_plots()
        if not settings.redis_url:  # whoever has started this process starts the server meanwhile
            held.enter_context(hold_server(settings))
        _refuse_faults()
        if settings.shards_url:
            try_place(settings.shards_url)
        if settings.embedding_model and BATCHES in queues:  # the others load no images
            importlib.import_module("shoal.worker.extractors.embedding").check_model(
                settings.embedding_model
            )
        start_tracing(context)
        # Nor do the pool's processes look through what was imported, which would copy its memory.
        gc.freeze()
        gc.enable()
    except AuthenticationError:
        _refuse(describe_refusal(url), settings.log_format)
    # Celery only logs what a signal's handler raises, and would start.
    except Exception as error:
        _refuse(str(error), settings.log_format)


def _choose_queues(queues: Any) -> Collection[str]:
    """Let a worker of batches, or of callbacks, take those of each protocol that it knows."""
    for names in QUEUES.values():
        if any(name in queues.consume_from for name in names.values()):
            for name in names.values():
                queues.select_add(queues[name])
    chosen: Collection[str] = queues.consume_from
    return chosen


def _import_plots() -> None:
    try:
        importlib.import_module(PLOTS)
    except Exception:
        logging.getLogger(__name__).exception("matplotlib cannot be used: jobs have no plots")


def _refuse_faults() -> None:
    """End this process if the settings of Redis would lose work."""
    with closing(connect(url, QUICK_RETRIES)) as client:
        try:
            faults = describe_faults(client)
        except ConnectionLostError:
            return  # the worker waits for Redis, and the sweeper checks again
    if faults:
        _refuse("; ".join(faults), settings.log_format)


@after_setup_logger.connect
def set_up_log(logger: logging.Logger, **_: object) -> None:
    """Log so that a job can be followed by its id, through all workers."""
    # Where Celery's pool says which of its processes was lost.
    of_pool = logging.getLogger("multiprocessing")
    for handler in (*logger.handlers, *of_pool.handlers):
        take_any_name(getattr(handler, "stream", None))
        handler.setFormatter(make_formatter(settings.log_format))
    # Celery's own two lines per message say less than ours.
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


@worker_shutting_down.connect
def send_shutdown_signal(**_: object) -> None:
    """Have the pool give back batches that would take long to finish."""
    context.shutdown_signal.send()


@worker_shutdown.connect
def release(**_: object) -> None:
    """Stop using the embedded server."""
    held.close()
