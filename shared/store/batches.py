"""The batches of one job in its ledger: started, kept alive, committed, lost."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shoal.shared.jobs import Wave
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import scripts
from shoal.shared.store.keys import JobKeys

logger = logging.getLogger(__name__)

# The process that has a batch counts as alive if its last heartbeat is not older than this.
SILENT_SECONDS = 5.0
# How much longer the leases of other processes may be than those of this one.
LEASES_DIFFER_SECONDS = 60.0
# A batch whose process was lost more often than this is sent again after a pause: of 1, 2, 4, …
# seconds, so that what kills processes has minutes to pass before the batch is given up.
ATTEMPTS_WITHOUT_PAUSE = 3
LONGEST_PAUSE_SECONDS = 60.0


class Commit(StrEnum):
    """What became of a batch's output."""

    COMMITTED = "committed"
    LAST = "last"  # the wave is complete, and its chord cannot be counted upon
    DUPLICATE = "duplicate"
    STALE = "stale"


@dataclass(frozen=True)
class Attempt:
    """A batch that was started.

    Attributes:
        number: How often it was started, this time included.
        values: Its value in each hash that was asked for, by key; None where it has none.
    """

    number: int
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
            ATTEMPTS_WITHOUT_PAUSE,
        )
        if reply == b"unknown":
            fields = {"job": self.job_id, "stage": wave, "batch": batch}
            logger.warning("no such batch", extra=fields)
        if not isinstance(reply, list):
            return None
        number, *values = reply
        return Attempt(number, dict(zip(hashes, values, strict=True)))

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
        keys = [self.keys.job, *(key(wave) for key in of_wave)]
        scripts.run(self.client, "end_attempt", keys, wave, batch, error or "")

    def give_back(self, wave: Wave, batch: int) -> None:
        """Give back a batch that was started, so that another process starts it again."""
        keys = [self.keys.job, self.keys.running(wave), self.keys.attempts(wave)]
        scripts.run(self.client, "return_batch", keys, wave, batch)

    def last_error(self, wave: Wave, batch: int) -> str | None:
        """Return what the last failed attempt raised; None if only processes were lost."""
        raw = self.client.hget(self.keys.errors(wave), str(batch))
        return raw.decode() if raw else None

    def commit_loading(
        self,
        batch: int,
        features: bytes,
        counts: tuple[int, ...],
        values: Mapping[str, bytes],
        seconds: float | None = None,
    ) -> Commit:
        """Store a loaded batch.

        Args:
            batch: Number of the batch.
            features: Raw rows of the images loaded.
            counts: Images loaded, images failed, and how many of both were known, if any were.
            values: Value of the batch in each hash by batch, by key: shape, failures, ….
            seconds: Time that it took, for the metrics.
        """
        output = (self.keys.features(batch), features)
        took = "" if seconds is None else seconds
        loaded, failed, known = (*counts, 0)[:3]
        arguments = (Wave.LOADING, batch, loaded, failed, known, "", took, *values.values())
        return self._commit(Wave.LOADING, output, list(values), *arguments)

    def commit_labelling(
        self, batch: int, labels: bytes, model_token: str = "", seconds: float | None = None
    ) -> Commit:
        """Store the label rows of a batch; stale if the job has another model by now."""
        output = (self.keys.labels(batch), labels)
        took = "" if seconds is None else seconds
        arguments = (Wave.LABELLING, batch, 0, 0, 0, model_token, took)
        return self._commit(Wave.LABELLING, output, [], *arguments)

    def _commit(
        self, wave: Wave, output: tuple[str, bytes], hashes: list[str], *arguments: object
    ) -> Commit:
        name, content = output
        # A name for this call only: another process may commit the same batch at the same time.
        staged = self.keys.staged(secrets.token_hex(8))
        keys = [self.keys.job, *self._wave_keys(wave), name, staged, *hashes]
        reply = scripts.run_with(self.client, (staged, content), "commit_batch", keys, *arguments)
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
        keys = [self.keys.job, self.keys.running(wave), self.keys.attempts(wave)]
        arguments = (
            *(self.lease_seconds, LEASES_DIFFER_SECONDS),
            *(ATTEMPTS_WITHOUT_PAUSE, LONGEST_PAUSE_SECONDS),
        )
        return [int(b) for b in scripts.run(self.client, "take_lost", keys, *arguments)]

    def has_running(self, wave: Wave) -> bool:
        """Return whether a process is working on a batch of the wave."""
        return bool(self.client.zcard(self.keys.running(wave)))
