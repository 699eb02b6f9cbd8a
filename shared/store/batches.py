"""The batches of one job in the ledger: begun, given signs of life, committed, lost."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shoal.shared.connection import RedisClient
from shoal.shared.jobs import Wave
from shoal.shared.store import scripts
from shoal.shared.store.keys import JobKeys

logger = logging.getLogger(__name__)

# The holder of a batch that is delivered again is alive if it was heard of within this time.
SILENT_SECONDS = 5.0


class Commit(StrEnum):
    """What became of a batch's output."""

    COMMITTED = "committed"
    LAST = "last"  # the wave is complete, and its chord cannot be counted upon
    DUPLICATE = "duplicate"
    STALE = "stale"


@dataclass(frozen=True)
class _Attempt:
    """A batch that was begun.

    Attributes:
        number: How often it was begun, this time included.
        notes: Its values in the hashes that were asked for; None where there is none.
    """

    number: int
    notes: tuple[bytes | None, ...]


class BatchLedger:
    """What is done and running of one job's batches."""

    def __init__(self, client: RedisClient, job_id: str, lease_seconds: float) -> None:
        self.client = client
        self.job_id = job_id
        self.keys = JobKeys(job_id)
        self.lease_seconds = lease_seconds

    def start_batch(
        self, wave: Wave, batch: int, redelivered: bool, noted: Sequence[str] = ()
    ) -> _Attempt | None:
        """Begin a batch; return the attempt, or None if it is not to be done.

        Args:
            wave: Wave that the batch belongs to.
            batch: Number of the batch.
            redelivered: Whether the broker lost its connection to the batch's holder.
            noted: Hashes whose values of this batch are to be returned, with no further round trip.
        """
        reply = scripts.run(
            self.client,
            "start_batch",
            [self.keys.job, *self.wave_keys(wave), self.keys.attempts(wave), *noted],
            *(wave, batch, self.lease_seconds, int(redelivered), SILENT_SECONDS),
        )
        if reply == b"unknown":
            fields = {"job": self.job_id, "stage": wave, "batch": batch}
            logger.warning("no such batch", extra=fields)
        return _Attempt(reply[0], tuple(reply[1:])) if isinstance(reply, list) else None

    def wave_keys(self, wave: Wave) -> list[str]:
        """Return the keys that say what is done and running."""
        return [self.keys.done(wave), self.keys.running(wave)]

    def beat_batch(self, wave: Wave, batch: int) -> bool:
        """Give a sign of life for a batch; return whether it is still wanted."""
        keys = [self.keys.job, self.keys.running(wave)]
        return bool(scripts.run(self.client, "beat_batch", keys, wave, batch, self.lease_seconds))

    def end_attempt(self, wave: Wave, batch: int, error: str | None) -> None:
        """Note why an attempt at a batch failed.

        Args:
            wave: Wave that the batch belongs to.
            batch: Number of the batch.
            error: What the work raised; None if Redis was to blame, which does not count.
        """
        of_wave = (self.keys.running, self.keys.attempts, self.keys.errors)
        keys = [self.keys.job, *(key(wave) for key in of_wave)]
        scripts.run(self.client, "end_attempt", keys, wave, batch, error or "")

    def return_batch(self, wave: Wave, batch: int) -> None:
        """Give back a batch that was begun, for another process to begin anew."""
        keys = [self.keys.job, self.keys.running(wave), self.keys.attempts(wave)]
        scripts.run(self.client, "return_batch", keys, wave, batch)

    def last_error(self, wave: Wave, batch: int) -> str | None:
        """Return what an attempt at a batch raised last; None if it only lost processes."""
        raw = self.client.hget(self.keys.errors(wave), str(batch))
        return raw.decode() if raw else None

    def commit_loading(
        self,
        batch: int,
        features: bytes,
        counts: tuple[int, int],
        notes: Mapping[str, bytes],
        seconds: float | None = None,
    ) -> Commit:
        """Store a loaded batch.

        Args:
            batch: Number of the batch.
            features: Raw rows of the images loaded.
            counts: Images loaded and images failed.
            notes: Value of the batch by key: shape, failures, statistics, hashes.
            seconds: Time that it took, for the metrics.
        """
        output = (self.keys.features(batch), features)
        took = "" if seconds is None else seconds
        arguments = (Wave.LOADING, batch, *counts, "", took, *notes.values())
        return self._commit(Wave.LOADING, output, list(notes), *arguments)

    def commit_labelling(
        self, batch: int, labels: bytes, model_token: int | str = "", seconds: float | None = None
    ) -> Commit:
        """Store the label rows of a batch; stale if they are of another model than the job's."""
        output = (self.keys.labels(batch), labels)
        took = "" if seconds is None else seconds
        arguments = (Wave.LABELLING, batch, 0, 0, model_token, took)
        return self._commit(Wave.LABELLING, output, [], *arguments)

    def _commit(
        self, wave: Wave, output: tuple[str, bytes], noted: list[str], *arguments: object
    ) -> Commit:
        name, content = output
        # Of this call alone: a second holder of the batch may commit at the same time.
        staged = self.keys.staged(secrets.token_hex(8))
        keys = [self.keys.job, *self.wave_keys(wave), name, staged, *noted]
        reply = scripts.run_with(self.client, (staged, content), "commit_batch", keys, *arguments)
        return Commit(reply.decode())

    def missing_batches(self, wave: Wave) -> list[int]:
        """Return the batches that are neither committed nor running."""
        total = int(self.client.hget(self.keys.job, "batches") or 0)
        done = self.client.smembers(self.keys.done(wave))
        running = self.client.zrange(self.keys.running(wave), 0, -1)
        return sorted(set(range(total)) - {int(batch) for batch in [*done, *running]})

    def take_lost_batches(self, wave: Wave) -> list[int]:
        """Return the batches whose process gave no sign of life; each is returned once."""
        keys = [self.keys.job, self.keys.running(wave)]
        return [int(b) for b in scripts.run(self.client, "take_lost", keys)]

    def has_running(self, wave: Wave) -> bool:
        """Return whether any process works on a batch of the wave."""
        return bool(self.client.zcard(self.keys.running(wave)))
