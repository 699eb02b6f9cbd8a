"""The registry: which jobs there are, which are active, which workers are running."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import cast

from redis import ResponseError

from shoal.shared.jobs import JobRequest, State
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import keys, scripts
from shoal.shared.store.errors import full_is_ours
from shoal.shared.store.expiry import Lifetimes
from shoal.shared.store.keys import JobKeys
from shoal.shared.store.manifest import pack_paths
from shoal.shared.store.tally import FIELDS, Tally
from shoal.shared.wire import encode

# What a producer wrote that died while it registered a job is gone after this time.
UNREGISTERED_SECONDS = 3600
# Batches of the manifest sent at once.
MANIFEST_CHUNK = 256


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
        fingerprint: str = "",
    ) -> None:
        """Register a job, with a manifest from which every batch can be sent again.

        The job appears in one step, once its manifest is complete.

        Args:
            job_id: Id of the new job.
            request: What is asked for.
            batches: Paths of each batch, relative to the source.
            lifetimes: How long to keep what the job stores; None: as set where the job ends.
            fingerprint: The same for the same images and options: see ``find``.

        Raises:
            StoreFullError: Redis has no memory left for it.
        """
        with full_is_ours():
            self._write_manifest(JobKeys(job_id), batches)
            notes = {"fingerprint": fingerprint, **(asdict(lifetimes) if lifetimes else {})}
            self._write_job(JobKeys(job_id), request, batches, notes)

    def _write_job(
        self,
        job: JobKeys,
        request: JobRequest,
        batches: Sequence[Sequence[str]],
        notes: Mapping[str, str | float],
    ) -> None:
        fields = {
            "state": State.QUEUED.value,
            "request": encode(request),
            "total": sum(map(len, batches)),
            "batches": len(batches),
            "loaded": 0,
            "failed": 0,
            "created_at": (now := self.now()),
            "active_at": now,
            **notes,
        }
        with self.client.pipeline(transaction=True) as pipe:
            pipe.persist(job.manifest)
            pipe.hset(job.job, mapping=fields)
            pipe.zadd(keys.JOBS, {job.job_id: now})
            pipe.zadd(keys.ACTIVE, {job.job_id: now})
            pipe.execute()

    def _write_manifest(self, job: JobKeys, batches: Sequence[Sequence[str]]) -> None:
        for start in range(0, len(batches), MANIFEST_CHUNK):
            chunk = batches[start : start + MANIFEST_CHUNK]
            values = {str(start + i): pack_paths(paths) for i, paths in enumerate(chunk)}
            with self.client.pipeline(transaction=False) as pipe:
                pipe.hset(job.manifest, mapping=values)
                pipe.expire(job.manifest, UNREGISTERED_SECONDS)
                pipe.execute()

    def note_submitted(self, job_id: str) -> None:
        """Note that a job was submitted once more: from now on it is the last one."""
        self.client.zadd(keys.JOBS, {job_id: self.now()}, xx=True)

    def jobs(self) -> list[str]:
        """Return the ids of the jobs that have not expired, the one submitted last first."""
        self.forget_expired()
        return [raw.decode() for raw in self.client.zrevrange(keys.JOBS, 0, -1)]

    def find(self, fingerprint: str) -> list[str]:
        """Return the ids of the jobs with this fingerprint, newest first, in one round trip."""
        job_ids = self.jobs()
        with self.client.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hget(JobKeys(job_id).job, "fingerprint")
            # A damaged job must not hide the others.
            found = pipe.execute(raise_on_error=False)
        wanted = fingerprint.encode()
        return [job_id for job_id, raw in zip(job_ids, found, strict=True) if raw == wanted]

    def tally(self) -> Tally:
        """Add up the counts of all jobs, in one round trip."""
        job_ids = self.jobs()
        with self.client.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hmget(JobKeys(job_id).job, FIELDS)
            return Tally.of(pipe.execute(raise_on_error=False))

    def forget_expired(self) -> None:
        """Drop the ids of jobs that have expired."""
        scripts.run(self.client, "forget", [keys.JOBS], JobKeys("%s").job)

    def active_jobs(self) -> list[str]:
        """Return the ids of the active jobs, oldest first."""
        return [raw.decode() for raw in self.client.zrange(keys.ACTIVE, 0, -1)]

    def retire(self, job_id: str) -> None:
        """Take a job off the active ones, unless it was retried meanwhile."""
        scripts.run(self.client, "retire", [JobKeys(job_id).job, keys.ACTIVE], job_id)

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
        return bool(self.client.set(keys.CLAIMS + what, 1, nx=True, px=int(seconds * 1000)))

    def note_worker(self, name: str) -> None:
        """Give a worker's heartbeat."""
        self.client.zadd(keys.WORKERS, {name: self.now()})

    def forget_worker(self, name: str) -> None:
        """Note that a worker has ended."""
        self.client.zrem(keys.WORKERS, name)

    def take_lost_workers(self, silent_seconds: float) -> list[str]:
        """Return the workers without a heartbeat for so long; each is returned to one caller."""
        before = self.now() - silent_seconds
        silent = self.client.zrangebyscore(keys.WORKERS, 0, str(before))
        return [raw.decode() for raw in silent if self.client.zrem(keys.WORKERS, raw.decode())]

    def workers(self, within_seconds: float) -> list[str]:
        """Return the names of the workers that gave a heartbeat ``within_seconds``."""
        self.client.zremrangebyscore(keys.WORKERS, "-inf", self.now() - 86_400)
        since = self.now() - within_seconds
        return [raw.decode() for raw in self.client.zrangebyscore(keys.WORKERS, since, "+inf")]

    def waiting(self, queues: Iterable[str]) -> int:
        """Return how many messages wait in ``queues``."""
        return sum(self.client.llen(key) for queue in queues for key in keys.queue_keys(queue))
