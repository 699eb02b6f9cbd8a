"""Expiry: all that a job has stored gets a time to live once the job has ended."""

from collections.abc import Sequence
from dataclasses import dataclass

from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import keys, scripts
from shoal.shared.store.keys import JobKeys
from shoal.shared.store.protocols import protocol_of
from shoal.shared.store.shards import Kind, key_prefix

# Keys in one round trip.
KEYS_PER_TRIP = 256


@dataclass(frozen=True)
class Lifetimes:
    """How long the features and the results of a job are kept after its end, in seconds."""

    features_seconds: float
    results_seconds: float


class Expiry:
    """Lets the keys of one job expire, unless the job is active or was resumed by a retry.

    Shards that are keys expire with them; others are deleted (see ``Strays``) once their names have
    expired.
    """

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
        now = seconds + microseconds / 1e6
        features_seconds = float(fields.get("features_seconds", lifetimes.features_seconds))
        results_seconds = float(fields.get("results_seconds", lifetimes.results_seconds))
        self._expire(self._features(), features_seconds)
        written = self.keys.of_tokens(fields)
        self._expire([*self._results(), *self.keys.fixed(), *written], results_seconds)
        if place := fields.get("place"):
            first = now + min(features_seconds, results_seconds)
            self.client.zadd(
                keys.stored(protocol_of(fields)), {f"{place}/{self.keys.job_id}": first}
            )
        self._run([], results_seconds, now + results_seconds)

    def drop_features(self) -> None:
        """Delete the features: by far most of the memory that a job takes."""
        self._expire(self._features(), 0)

    def _features(self) -> list[str]:
        return self._shards(Kind.FEATURES)

    def _results(self) -> list[str]:
        return [*self._shards(Kind.THUMBNAILS), *self._shards(Kind.COORDINATES)]

    def _shards(self, kind: Kind) -> list[str]:
        """Return the keys of the shards that Redis has, if it has them, and of their names."""
        names, prefix = self.keys.shards(kind), key_prefix(self.keys)
        found = self.client.hgetall(names).values()
        return [*(f"{prefix}{name.decode()}" for name in found), names]

    def _expire(self, names: Sequence[str], seconds: float) -> None:
        for start in range(0, len(names), KEYS_PER_TRIP):
            self._run(names[start : start + KEYS_PER_TRIP], seconds)

    def _run(self, names: Sequence[str], seconds: float, expires_at: float | str = "") -> None:
        # The script checks the state each time: the job may be retried between two calls.
        keys = [self.keys.job, *names]
        scripts.run(self.client, "expire", keys, int(seconds * 1000), expires_at)
