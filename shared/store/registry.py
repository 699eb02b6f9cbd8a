"""The registry: which jobs there are, which are active, which workers are running."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import cast

from redis import ResponseError

from shoal.shared.encoding import pack_paths
from shoal.shared.errors import NotFinishedError
from shoal.shared.jobs import JobRequest, LeftOut, State
from shoal.shared.redis.connection import RedisClient
from shoal.shared.sources.locations import Location, pack_locations
from shoal.shared.store import keys, scripts
from shoal.shared.store.backlog import Backlog, read_backlog
from shoal.shared.store.counts import Counts
from shoal.shared.store.expiry import Lifetimes
from shoal.shared.store.keys import JobKeys
from shoal.shared.store.protocols import REQUEST, list_marks, mark, note_protocol
from shoal.shared.store.workers import (
    SHOWN_SECONDS,
    WorkerFacts,
    WorkerStatus,
    list_workers,
    note_worker,
)
from shoal.shared.tasks import KNOWN, PROTOCOL
from shoal.shared.wire import encode

# What a producer wrote that died while it registered a job is gone after this time.
UNREGISTERED_SECONDS = 3600
# Batches of the manifest sent at once.
MANIFEST_CHUNK = 256
# A worker that was silent for this long is not remembered.
FORGOTTEN_SECONDS = 86_400


@dataclass(frozen=True)
class Origin:
    """The submission that a job comes from.

    Attributes:
        fingerprint: The same for the same images and options; "" if that cannot be told.
        known: Ids of the jobs of this fingerprint in spite of which a new one is wanted; any other
            job of this fingerprint is as good. None: a new one is wanted whatever there is.
        left_out: What the folder has beside the images.
        series: The same for the same folder and options, whatever images it has.
        previous: Id of the job before, by which clusters are numbered; "" if there is none.
        given: Fields that go with the model of another job, if this one uses it.
        model_of: Id of that job; "" if this one is to have a model of its own.
        model_token: The token under which that model was written.
        place: Id of the place where the job keeps its shards; "" is its Redis.
        place_url: Where that is, for messages.
    """

    fingerprint: str = ""
    known: Collection[str] | None = None
    left_out: LeftOut = field(default_factory=LeftOut)
    series: str = ""
    previous: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    model_of: str = ""
    model_token: str = ""
    place: str = ""
    place_url: str = ""


class Registry:
    """All jobs of one Redis."""

    def __init__(self, client: RedisClient) -> None:
        self.client = client

    def register(
        self,
        job_id: str,
        request: JobRequest,
        batches: Sequence[Sequence[str]],
        lifetimes: Lifetimes | None = None,
        origin: Origin | None = None,
        locations: Sequence[Sequence[Location]] | None = None,
    ) -> str | None:
        """Register a job, with a manifest from which every batch can be sent again.

        The job appears in one step, once its manifest is complete.

        Args:
            job_id: Id of the new job.
            request: What is asked for.
            batches: Paths of each batch, relative to the source.
            lifetimes: How long to keep what the job stores; None: as set where the job ends.
            origin: The submission that it comes from.
            locations: Of the images of each batch; None for files in a folder, whose paths say it.

        Returns:
            None; or the id of a job with the same origin that the submitter does not know. Then
            this one was not registered.

        Raises:
            NotFinishedError: The model that it is to use has expired.
            StoreUnavailableError: Redis refuses for now, as where it has no memory left.
        """
        job, origin = JobKeys(job_id), origin or Origin()
        fields = {
            "state": State.QUEUED.value,
            **note_protocol(),
            REQUEST: encode(request),
            "total": sum(map(len, batches)),
            "batches": len(batches),
            "loaded": 0,
            "failed": 0,
            "fingerprint": mark(origin.fingerprint, PROTOCOL),
            "left_out": encode(origin.left_out),
            "series": mark(origin.series, PROTOCOL),
            "previous": origin.previous,
            **origin.given,
            **({"place": origin.place, "place_url": origin.place_url} if origin.place else {}),
            **(asdict(lifetimes) if lifetimes else {}),
        }
        self._write_manifest(job, batches, locations)
        other = self._write_job(job, fields, origin)
        if other == b"gone":
            raise NotFinishedError(
                f"The model of job {origin.model_of} has expired: submit its folder again."
            )
        return other.decode() if other else None

    def _write_job(
        self, job: JobKeys, fields: Mapping[str, str | bytes | float], origin: Origin
    ) -> bytes | None:
        claimed = mark(origin.fingerprint, PROTOCOL) if origin.known is not None else ""
        known = origin.known or ()
        flat = (x for pair in fields.items() for x in pair)
        written = [job.job, job.manifest, job.locations, keys.JOBS, keys.active(), keys.COUNTS]
        if origin.model_of:
            written += [JobKeys(origin.model_of).model(origin.model_token), job.given_model]
        arguments = (job.job_id, JobKeys("%s").job, claimed, len(known), *known, *flat)
        return cast(bytes | None, scripts.run(self.client, "register", written, *arguments))

    def _write_manifest(
        self,
        job: JobKeys,
        batches: Sequence[Sequence[str]],
        locations: Sequence[Sequence[Location]] | None,
    ) -> None:
        for start in range(0, len(batches), MANIFEST_CHUNK):
            numbers = range(start, min(start + MANIFEST_CHUNK, len(batches)))
            with self.client.pipeline(transaction=False) as pipe:
                pipe.hset(job.manifest, mapping={str(n): pack_paths(batches[n]) for n in numbers})
                pipe.expire(job.manifest, UNREGISTERED_SECONDS)
                if locations is not None:
                    packed = {str(n): pack_locations(locations[n]) for n in numbers}
                    pipe.hset(job.locations, mapping=packed)
                    pipe.expire(job.locations, UNREGISTERED_SECONDS)
                pipe.execute()

    def note_submitted(self, job_id: str) -> None:
        """Note that a job was submitted once more: from now on it is the last one."""
        self.client.zadd(keys.JOBS, {job_id: self.now()}, xx=True)

    def jobs(self) -> list[str]:
        """Return the ids of the jobs that have not expired, the one submitted last first."""
        found = scripts.run(self.client, "list_jobs", [keys.JOBS], JobKeys("%s").job)
        return [raw.decode() for raw in found]

    def find(self, fingerprint: str) -> list[str]:
        """Return the ids of the jobs with this fingerprint, newest first, in one round trip.

        None of them has "", which stands for what cannot be told.
        """
        return self._find("fingerprint", fingerprint)

    def find_series(self, series: str) -> list[str]:
        """Return the ids of the jobs of this series, the one submitted last first."""
        return self._find("series", series)

    def _find(self, field: str, value: str) -> list[str]:
        if not value:
            return []
        job_ids = self.jobs()
        with self.client.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hget(JobKeys(job_id).job, field)
            # A damaged job must not hide the others.
            found = pipe.execute(raise_on_error=False)
        wanted = list_marks(value)
        return [job_id for job_id, raw in zip(job_ids, found, strict=True) if raw in wanted]

    def count_jobs(self) -> Counter[str]:
        """Count the jobs that have not expired, by state; damaged ones count nothing."""
        flat = scripts.run(self.client, "count_jobs", [keys.JOBS], JobKeys("%s").job)
        states = (raw.decode() for raw in flat[::2])
        return Counter(dict(zip(states, flat[1::2], strict=True)))

    def counts(self) -> Counts:
        """Return what was counted since this Redis began, also of jobs that have expired."""
        return Counts.read(self.client)

    def backlog(self) -> Backlog:
        """Return how much work waits and runs, in one round trip."""
        return read_backlog(self.client)

    def forget_expired(self) -> None:
        """Drop what has expired: ids of jobs, heartbeats of a day ago, sessions of the page."""
        scripts.run(self.client, "forget", [keys.JOBS], JobKeys("%s").job)
        now = self.now()
        for key in {keys.WORKERS, *map(keys.workers, KNOWN)}:
            self.client.zremrangebyscore(key, "-inf", now - FORGOTTEN_SECONDS)
        self.client.zremrangebyscore(keys.SEEN_WORKERS, "-inf", now - SHOWN_SECONDS)
        self.client.zremrangebyscore(keys.SESSIONS, "-inf", now)

    def active_jobs(self, protocols: Iterable[int] = KNOWN) -> list[str]:
        """Return the ids of the active jobs of these protocols, the oldest of each first."""
        of_each = (self.client.zrange(keys.active(protocol), 0, -1) for protocol in protocols)
        return [raw.decode() for found in of_each for raw in found]

    def outdated_plots(self) -> list[str]:
        """Return the ids of the jobs whose plots lack names that were given since."""
        of_each = (self.client.smembers(keys.outdated(protocol)) for protocol in KNOWN)
        return sorted(raw.decode() for found in of_each for raw in found)

    def is_at_rest(self) -> bool:
        """Return whether no job that this version knows is active, and no worker has a message."""
        is_active = any(self.client.zcard(keys.active(protocol)) for protocol in KNOWN)
        return not is_active and not self.client.hlen(keys.UNACKED)

    def retire(self, job_id: str) -> None:
        """Take a job off the active ones, unless it was retried meanwhile."""
        written = [JobKeys(job_id).job, *map(keys.active, KNOWN)]
        scripts.run(self.client, "retire", written, job_id)

    def now(self) -> float:
        """Return the time of the server's clock in seconds since 1970, as all times of jobs are."""
        seconds, microseconds = self.client.time()
        return float(seconds) + float(microseconds) / 1e6

    def memory(self) -> Mapping[str, int | str]:
        """Return the server's ``INFO memory``; empty where the server does not allow it."""
        try:
            return cast(Mapping[str, int | str], self.client.info("memory"))
        except ResponseError:
            return {}

    def claim(self, what: str, seconds: float) -> bool:
        """Claim ``what`` for ``seconds``; return False if another process has claimed it."""
        return bool(scripts.run(self.client, "claim", [keys.CLAIMS + what], int(seconds * 1000)))

    def note_worker(self, name: str, facts: WorkerFacts | None = None) -> None:
        """Give a worker's heartbeat, with what it says of itself."""
        note_worker(self.client, name, facts)

    def list_workers(self, late_seconds: float, lost_seconds: float) -> list[WorkerStatus]:
        """Return the workers that run, and those that were lost of late, by name."""
        return list_workers(self.client, late_seconds, lost_seconds)

    def forget_worker(self, name: str) -> None:
        """Note that a worker has ended."""
        for key in {keys.WORKERS, keys.SEEN_WORKERS, *map(keys.workers, KNOWN)}:
            self.client.zrem(key, name)
        self.client.unlink(keys.WORKER + name)

    def take_lost_workers(self, silent_seconds: float) -> list[str]:
        """Return the workers without a heartbeat for so long; each is returned to one caller."""
        written = [keys.WORKERS, keys.COUNTS]
        taken = scripts.run(self.client, "take_lost_workers", written, silent_seconds)
        return [raw.decode(errors="replace") for raw in taken]

    def workers(self, within_seconds: float, protocol: int | None = None) -> list[str]:
        """Return the names of the workers that gave a heartbeat ``within_seconds``.

        Args:
            within_seconds: Longest time since the heartbeat.
            protocol: Those alone that take jobs of this protocol; None returns all.
        """
        key = keys.WORKERS if protocol is None else keys.workers(protocol)
        now = self.now()
        # A later one was given before the server's clock was set back.
        found = self.client.zrangebyscore(key, now - within_seconds, now + within_seconds)
        return [raw.decode(errors="replace") for raw in found]

    def waiting(self, queues: Iterable[str]) -> int:
        """Return how many messages wait in ``queues``."""
        with self.client.pipeline(transaction=False) as pipe:
            for queue in queues:
                for key in keys.queue_keys(queue):
                    pipe.llen(key)
            return sum(pipe.execute())
