"""Expiry: all keys of a job that has ended get a time to live."""

from collections.abc import Sequence
from dataclasses import dataclass

from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import scripts
from shoal.shared.store.keys import JobKeys

# Keys in one round trip.
KEYS_PER_TRIP = 256


@dataclass(frozen=True)
class Lifetimes:
    """How long the features and the results of a job are kept after its end, in seconds."""

    features_seconds: float
    results_seconds: float


class Expiry:
    """Lets the keys of one job expire, unless the job is active or was resumed by a retry."""

    def __init__(self, client: RedisClient, job_id: str) -> None:
        self.client = client
        self.keys = JobKeys(job_id)

    def begin(self, lifetimes: Lifetimes) -> None:
        """Give every key of an ended job its time to live.

        Args:
            lifetimes: Of features and results, unless the job has times of its own.

        Raises:
            StoreUnavailableError: Redis refuses for now to note when that will be.
        """
        with self.client.pipeline(transaction=False) as pipe:
            raw, (seconds, microseconds) = pipe.hgetall(self.keys.job).time().execute()
        fields = {k.decode(): v.decode() for k, v in raw.items()}
        features_seconds = float(fields.get("features_seconds", lifetimes.features_seconds))
        results_seconds = float(fields.get("results_seconds", lifetimes.results_seconds))
        written = self.keys.of_tokens(fields)
        labels = map(self.keys.labels, range(self._n_batches()))
        self._expire(self._features(), features_seconds)
        self._expire([*labels, *self.keys.fixed(), *written], results_seconds)
        expires_at = seconds + microseconds / 1e6 + results_seconds
        self._run([], results_seconds, expires_at)

    def drop_features(self) -> None:
        """Delete the features: by far most of the memory that a job takes."""
        self._expire(self._features(), 0)

    def _features(self) -> list[str]:
        features = map(self.keys.features, range(self._n_batches()))
        return [self.keys.statistics, *features]

    def _n_batches(self) -> int:
        return int(self.client.hlen(self.keys.manifest))

    def _expire(self, names: Sequence[str], seconds: float) -> None:
        for start in range(0, len(names), KEYS_PER_TRIP):
            self._run(names[start : start + KEYS_PER_TRIP], seconds)

    def _run(self, names: Sequence[str], seconds: float, expires_at: float | str = "") -> None:
        # The script checks the state each time: the job may be retried between two calls.
        keys = [self.keys.job, *names]
        scripts.run(self.client, "expire", keys, int(seconds * 1000), expires_at)
