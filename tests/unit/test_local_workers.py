"""Workers that a client starts: once, however many threads ask for them."""

from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Thread
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from shoal.producer.local import workers as local
from shoal.producer.local.workers import LocalWorkers
from shoal.shared.settings import Settings

THREADS = 4


class Started:
    """In place of processes: notes that they were started."""

    count = 0
    names: ClassVar[dict[str, str]] = {}

    def __init__(self, *_: Any) -> None:
        pass

    def start(self) -> None:
        Started.count += 1

    def stop(self, **_: Any) -> None:
        pass

    def have_ended(self) -> bool:
        return False


def test_threads_that_ask_at_once_start_workers_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WorkerProcesses", Started)
    all_looking = Barrier(THREADS)

    def list_none(within_seconds: float, protocol: int = 2) -> list[str]:
        with suppress(BrokenBarrierError):  # where one looks after the other
            all_looking.wait(0.2)
        return []

    registry: Any = SimpleNamespace(workers=list_none, is_at_rest=lambda: True)
    workers = LocalWorkers(registry, Settings(), may_start=True)
    threads = [Thread(target=workers.ensure_running) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Started.count == 1
