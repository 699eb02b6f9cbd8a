"""What a worker says of itself with each heartbeat: machine, version, and what its processes do.

Its main process knows all of it: neither a message nor a round trip is needed for a batch.
"""

import os
import resource
import time
from contextlib import suppress
from pathlib import Path
from socket import gethostname
from typing import Any

from celery.worker import state

from shoal.shared.store import PoolProcess, Work, WorkerFacts
from shoal.shared.store.protocols import find_version
from shoal.shared.tasks import (
    DRAW_PLOTS,
    FINISH_JOB,
    FIT_JOB,
    KNOWN,
    LABEL_BATCH,
    LOAD_BATCH,
    PROJECT_IMAGES,
    SWEEP,
)

STAGES = {
    LOAD_BATCH: "loading",
    FIT_JOB: "fitting",
    LABEL_BATCH: "labelling",
    FINISH_JOB: "finishing",
    PROJECT_IMAGES: "searching",
    DRAW_PLOTS: "plotting",
    SWEEP: "sweeping",
}


def describe_worker(worker: Any, up_seconds: float) -> WorkerFacts:
    """Describe a worker of Celery from within its main process.

    Args:
        worker: Celery's own; until its pool has started, it has no processes.
        up_seconds: Since when it runs.
    """
    now = time.time()
    # Copied: a thread of the pool takes out what has ended.
    works = {request.worker_pid: request for request in list(state.active_requests)}
    pids = _list_pids(worker)
    return WorkerFacts(
        host=gethostname(),
        pid=os.getpid(),
        version=find_version(),
        protocols=KNOWN,
        queues=tuple(worker.app.amqp.queues.consume_from),
        up_seconds=round(up_seconds, 1),
        cpu_seconds=_add_cpu_seconds(pids),
        processes=tuple(
            PoolProcess(pid, _read_memory(pid), _describe_work(works.get(pid), now)) for pid in pids
        ),
    )


def _list_pids(worker: Any) -> list[int]:
    with suppress(AttributeError):  # the pool has not started yet
        return sorted(worker.pool.info.get("processes", []))
    return []


def _read_memory(pid: int) -> int | None:
    try:
        n_pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:  # it has ended, or the system does not tell (macOS)
        return None
    return int(n_pages) * resource.getpagesize()


def _add_cpu_seconds(pids: list[int]) -> float | None:
    """Add up what this process, those that have ended, and the living ones have taken."""
    # The living ones first: one that ends meanwhile counts twice once, and never not at all.
    try:
        living = sum(map(_read_cpu_seconds, pids))
    except FileNotFoundError:  # one has just ended, or the system does not tell (macOS)
        return None
    return round(living + sum(os.times()[:4]), 2)


def _read_cpu_seconds(pid: int) -> float:
    """Read what a process has taken, with its own that have ended."""
    # After the name, which may be anything: state, …; the twelfth to fifteenth are the times.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _describe_work(request: Any, now: float) -> Work | None:
    if request is None:
        return None
    job_id, batch = (*request.args, "", None)[:2]
    return Work(
        STAGES.get(request.name, request.name),
        job_id,
        batch if request.name in {LOAD_BATCH, LABEL_BATCH} else None,
        round(max(now - (request.time_start or now), 0.0), 1),
    )
