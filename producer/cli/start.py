"""Workers of ``shoal run``, started before the command itself has imported what it needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shoal.producer.local.processes import WorkerProcesses
from shoal.producer.submission.folder import resolve_source
from shoal.shared.settings import read_settings


@contextmanager
def starting_workers(source: Path, concurrency: int | None) -> Iterator[WorkerProcesses | None]:
    """Start workers for the embedded server; yield None where another Redis has its own.

    They import for a second what they need: meanwhile the folder is listed and the server starts.
    In the end they are killed, unless a client has stopped them already.

    Args:
        source: Nothing is started if it is no folder.
        concurrency: Number of processes that load images; None is one per core.

    Raises:
        SettingsError: A ``SHOAL_`` variable does not parse, or the embedded server's directory
            cannot be used.
    """
    settings = read_settings()
    if settings.redis_url or not resolve_source(source).is_dir():
        yield None
        return
    workers = WorkerProcesses(settings, concurrency)
    try:
        workers.start()
        yield workers
    finally:
        workers.stop(at_once=True)
