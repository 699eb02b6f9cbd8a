"""The batches of one job in its ledger: started, kept alive, committed, lost."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shoal.shared.jobs import Wave
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import scripts
from shoal.shared.store.counts import count_batch, pack_counts
from shoal.shared.store.keys import COUNTS, JobKeys
from shoal.shared.store.shards import Commit, Kind, key_prefix
from shoal.shared.tasks import PROTOCOL

logger = logging.getLogger(__name__)

# The process that has a batch counts as alive if its last heartbeat is not older than this.
SILENT_SECONDS = 5.0
# How much longer the leases of other processes may be than those of this one.
LEASES_DIFFER_SECONDS = 60.0
# A batch whose process was lost more often than this is sent again after a pause: of 1, 2, 4, …
# seconds, so that what kills processes has minutes to pass before the batch is given up.
ATTEMPTS_WITHOUT_PAUSE = 3
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class Attempt:
    """A batch that was started.

    Attributes:
        number: How often it was started, this time included.
        token: Names what this attempt writes, and nothing else; it begins with the time.
        values: Its value in each hash that was asked for, by key; None where it has none.
    """

    number: int
    token: str
    values: Mapping[str, bytes | None]


class BatchLedger:
    """Which batches of one job are done and which are running.

    Every method is one step in Redis: safe to call again, whatever happened to the first call.
    """

    def __init__(self, client: RedisClient, job_id: str, lease_seconds: float) -> None:
        self.client = client
        self.job_id = job_id
        self.keys = JobKeys(job_id)
        self.lease_seconds = lease_seconds

    def start(
        self, wave: Wave, batch: int, redelivered: bool, hashes: Sequence[str] = ()
    ) -> Attempt | None:
        """Start a batch; return the attempt, or None if the batch is not to be done.

        Args:
            wave: Wave that the batch belongs to.
            batch: Number of the batch.
            redelivered: Whether the broker lost its connection to the process that had the batch.
            hashes: Keys of hashes by batch, whose values are returned in the same round trip.
        """
        reply = scripts.run(
            self.client,
            "start_batch",
            [self.keys.job, *self._wave_keys(wave), self.keys.attempts(wave), *hashes],
            *(wave, batch, self.lease_seconds, int(redelivered), SILENT_SECONDS),
            *(ATTEMPTS_WITHOUT_PAUSE, PROTOCOL),
        )
        if reply == b"unknown":
            fields = {"job": self.job_id, "stage": wave, "batch": batch}
            logger.warning("no such batch", extra=fields)
        if not isinstance(reply, list):
            return None
        number, seconds, *values = reply
        token = f"{seconds:08x}{secrets.token_hex(6)}"
        return Attempt(number, token, dict(zip(hashes, values, strict=True)))

    def _wave_keys(self, wave: Wave) -> list[str]:
        return [self.keys.done(wave), self.keys.running(wave)]

    def beat(self, wave: Wave, batch: int) -> bool:
        """Give a heartbeat of a batch; return whether the batch is still wanted."""
        keys = [self.keys.job, self.keys.running(wave)]
        return bool(scripts.run(self.client, "beat_batch", keys, wave, batch, self.lease_seconds))

    def end_attempt(self, wave: Wave, batch: int, error: str | None) -> None:
        """Note why an attempt at a batch failed.

        Args:
            wave: Wave that the batch belongs to.
            batch: Number of the batch.
            error: What was raised; None if the cause was Redis, so that the attempt does not count.
        """
        of_wave = (self.keys.running, self.keys.attempts, self.keys.errors)
        keys = [self.keys.job, *(key(wave) for key in of_wave), COUNTS]
        scripts.run(self.client, "end_attempt", keys, wave, batch, error or "")

    def give_back(self, wave: Wave, batch: int) -> None:
        """Give back a batch that was started, so that another process starts it again."""
        keys = [self.keys.job, self.keys.running(wave), self.keys.attempts(wave), COUNTS]
        scripts.run(self.client, "return_batch", keys, wave, batch)

    def last_error(self, wave: Wave, batch: int) -> str | None:
        """Return what the last failed attempt raised; None if only processes were lost."""
        raw = self.client.hget(self.keys.errors(wave), str(batch))
        return raw.decode() if raw else None

    def commit_loading(
        self,
        batch: int,
        shards: Mapping[Kind, str],
        counts: tuple[int, ...],
        values: Mapping[str, bytes],
        seconds: float | None = None,
    ) -> Commit:
        """Store a loaded batch.

        Args:
            batch: Number of the batch.
            shards: Name of each shard that was written for it.
            counts: Images loaded, images failed, and how many of both were known, if any were.
            values: Value of the batch in each hash by batch, by key: shape, failures, ….
            seconds: Time that it took, for the metrics.
        """
        loaded, failed, known = (*counts, 0)[:3]
        failures = values.get(self.keys.failures, b"")
        added = count_batch(Wave.LOADING, loaded, failed, known, failures, seconds)
        arguments = (Wave.LOADING, batch, loaded, failed, known, "", pack_counts(added))
        return self._commit(shards, values, *arguments)

    def commit_labelling(
        self,
        batch: int,
        labels: bytes,
        model_token: str = "",
        seconds: float | None = None,
        shards: Mapping[Kind, str] | None = None,
        far: bytes = b"",
    ) -> Commit:
        """Store the label rows of a batch; stale if the job has another model by now."""
        added = count_batch(Wave.LABELLING, 0, 0, 0, b"", seconds)
        values = {self.keys.labels: labels, **({self.keys.far: far} if far else {})}
        arguments = (Wave.LABELLING, batch, 0, 0, 0, model_token, pack_counts(added))
        return self._commit(shards or {}, values, *arguments)

    def _commit(
        self,
        shards: Mapping[Kind, str],
        values: Mapping[str, bytes],
        wave: Wave,
        *arguments: object,
    ) -> Commit:
        hashes = [*map(self.keys.shards, shards), *values]
        keys = [self.keys.job, *self._wave_keys(wave), COUNTS, *hashes]
        prefix = key_prefix(self.keys)
        given = (*shards.values(), *values.values())
        reply = scripts.run(
            self.client, "commit_batch", keys, wave, *arguments, prefix, len(shards), *given
        )
        return Commit(reply.decode())

    def missing(self, wave: Wave) -> list[int]:
        """Return the batches that are neither committed nor running."""
        total = int(self.client.hget(self.keys.job, "batches") or 0)
        done = self.client.smembers(self.keys.done(wave))
        running = self.client.zrange(self.keys.running(wave), 0, -1)
        return sorted(set(range(total)) - {int(batch) for batch in [*done, *running]})

    def take_lost(self, wave: Wave) -> list[int]:
        """Return the batches whose process gave no heartbeat in time; each is returned once.

        One that was lost again and again is returned after a pause.
        """
        keys = [self.keys.job, self.keys.running(wave), self.keys.attempts(wave), COUNTS]
        arguments = (
            *(self.lease_seconds, LEASES_DIFFER_SECONDS),
            *(ATTEMPTS_WITHOUT_PAUSE, LONGEST_PAUSE_SECONDS),
            wave,
        )
        return [int(b) for b in scripts.run(self.client, "take_lost", keys, *arguments)]

    def has_running(self, wave: Wave) -> bool:
        """Return whether a process is working on a batch of the wave."""
        return bool(self.client.zcard(self.keys.running(wave)))
