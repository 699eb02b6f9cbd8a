"""The workers of one Redis: what each says of itself with its heartbeats, and how it looks now."""

from dataclasses import dataclass
from enum import StrEnum

from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import keys, scripts
from shoal.shared.tasks import FIRST, KNOWN
from shoal.shared.wire import decode, encode

# For this long, a worker that was lost is shown.
SHOWN_SECONDS = 3_600


class WorkerState(StrEnum):
    """What the heartbeats of a worker tell."""

    RUNNING = "running"
    SILENT = "silent"
    LOST = "lost"


@dataclass(frozen=True)
class Work:
    """What a process of a worker does.

    Attributes:
        stage: ``loading``, ``fitting``, ``labelling``, ``finishing``, ``searching``,
            ``plotting`` or ``sweeping``.
        job_id: Of which job; empty if of none.
        batch: Number of the batch; None if it is no batch.
        seconds: For how long, as of the worker's last heartbeat.
    """

    stage: str
    job_id: str = ""
    batch: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class PoolProcess:
    """A process of a worker.

    Attributes:
        pid: Its number on the worker's machine.
        memory_bytes: Resident memory, as ``top`` shows it; None where that is not known.
        work: What it does; None if it is idle.
    """

    pid: int
    memory_bytes: int | None = None
    work: Work | None = None


@dataclass(frozen=True, kw_only=True)
class WorkerFacts:
    """What a worker says of itself.

    Attributes:
        host: Name of its machine.
        pid: Number of its main process there.
        version: Its version of Shoal.
        protocols: Of the jobs that it works on.
        queues: From where it takes messages.
        up_seconds: For how long it runs.
        cpu_seconds: Time of processors that it has taken, with processes of it that have ended;
            None where that is not known.
        processes: Those that work for it.
    """

    host: str = ""
    pid: int = 0
    version: str = ""
    protocols: tuple[int, ...] = (FIRST,)
    queues: tuple[str, ...] = ()
    up_seconds: float = 0.0
    cpu_seconds: float | None = None
    processes: tuple[PoolProcess, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WorkerStatus(WorkerFacts):
    """A worker as it was at its last heartbeat; of an earlier Shoal's, little is known.

    Attributes:
        name: Its name, which no other worker has.
        state: ``running``; ``silent`` if its heartbeat is late; ``lost`` if it has been missing for
            so long that others have its work.
        silent_seconds: Time since its last heartbeat.
        busy: How many of its processes do something.
    """

    name: str
    state: WorkerState
    silent_seconds: float
    busy: int


def note_worker(client: RedisClient, name: str, facts: WorkerFacts | None = None) -> None:
    """Give a worker's heartbeat, in one round trip."""
    of_each = [key for key in map(keys.workers, KNOWN) if key != keys.WORKERS]
    written = [keys.WORKER + name, keys.WORKERS, keys.SEEN_WORKERS, *of_each]
    raw = encode(facts) if facts else b""
    scripts.run(client, "note_worker", written, name, raw, SHOWN_SECONDS)


def list_workers(
    client: RedisClient, late_seconds: float, lost_seconds: float
) -> list[WorkerStatus]:
    """Return the workers that run, and those that were lost of late, by name.

    Args:
        client: Of the Redis.
        late_seconds: Without a heartbeat for this long, a worker is silent.
        lost_seconds: Without one for this long, it is lost.
    """
    read = [keys.WORKERS, keys.SEEN_WORKERS]
    seconds, microseconds, *flat = scripts.run(client, "list_workers", read, keys.WORKER)
    now = seconds + microseconds / 1e6

    found = list[WorkerStatus]()
    for raw_name, heard_at, raw in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
        name = raw_name.decode(errors="replace")  # whatever else writes there
        silent = max(now - float(heard_at), 0.0)  # a clock may be set back
        if silent < SHOWN_SECONDS:
            facts = _read_facts(name, raw)
            found.append(
                WorkerStatus(
                    **vars(facts),
                    name=name,
                    state=_tell_state(silent, late_seconds, lost_seconds),
                    silent_seconds=round(silent, 1),
                    busy=sum(process.work is not None for process in facts.processes),
                )
            )
    return sorted(found, key=lambda worker: worker.name)


def _read_facts(name: str, raw: bytes) -> WorkerFacts:
    """Read what a worker says of itself; of another version's, its machine ends the name."""
    try:
        return decode(raw, WorkerFacts)
    except ValueError:  # empty, or of another form
        return WorkerFacts(host=name.partition("@")[2])


def _tell_state(silent: float, late_seconds: float, lost_seconds: float) -> WorkerState:
    if silent >= lost_seconds:
        return WorkerState.LOST
    return WorkerState.SILENT if silent >= late_seconds else WorkerState.RUNNING
