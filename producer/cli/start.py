"""Workers of ``shoal run``, started before the command itself has imported what it needs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shoal.producer.local.processes import WorkerProcesses
from shoal.producer.submission.folder import resolve_source
from shoal.shared.jobs import STDIN
from shoal.shared.settings import read_settings
from shoal.shared.sources.given import fixed_part
from shoal.shared.sources.paths import is_url


@contextmanager
def starting_workers(
    sources: Sequence[str], concurrency: int | None
) -> Iterator[WorkerProcesses | None]:
    """Start workers for the embedded server; yield None where another Redis has its own.

    They import for a second what they need: meanwhile the folder is listed and the server starts.
    In the end they are killed, unless a client has stopped them already.

    Args:
        sources: Nothing is started if one is missing.
        concurrency: Number of processes that load images; None is one per core.

    Raises:
        SettingsError: A ``SHOAL_`` variable does not parse, or the embedded server's directory
            cannot be used.
    """
    settings = read_settings()
    if settings.redis_url or not all(map(_may_exist, sources)):
        yield None
        return
    workers = WorkerProcesses(settings, concurrency)
    try:
        workers.start()
        yield workers
    finally:
        workers.stop(at_once=True)


def _may_exist(source: str) -> bool:
    return source == STDIN or is_url(source) or resolve_source(Path(fixed_part(source))).exists()
