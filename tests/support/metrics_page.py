"""The page of metrics of a Redis with one worker, for tests that ask no Redis."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

from shoal.producer.web.api.metrics import measure
from shoal.shared.store import Backlog, Counts, PoolProcess, WorkerState, WorkerStatus

WORKER = WorkerStatus(
    name="one@host",
    state=WorkerState.RUNNING,
    silent_seconds=0,
    busy=0,
    cpu_seconds=1,
    processes=(PoolProcess(7, 2**20),),
)


def make_page() -> str:
    """Make what ``/metrics`` answers."""
    registry = SimpleNamespace(
        counts=lambda: Counts({}),
        count_jobs=Counter,
        backlog=lambda: Backlog(0, 0, 0, 0, 0, 0),
        waiting=lambda _: 0,
        memory=dict,
    )
    client: Any = SimpleNamespace(registry=registry, list_workers=lambda: [WORKER])
    return measure(client)[0].decode()
