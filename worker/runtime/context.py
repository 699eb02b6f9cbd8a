"""What a worker's process needs for its tasks: settings, store, messages."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from shoal.shared.images.files import ImageLimits
from shoal.shared.messaging.messages import Messages
from shoal.shared.redis.connection import RedisClient
from shoal.shared.server.places import check_place
from shoal.shared.settings import Settings
from shoal.shared.shards import Shards
from shoal.shared.store import Ledger, Registry, Results
from shoal.shared.sweeper import Sweeper
from shoal.worker.runtime.shutdown_signal import ShutdownSignal


@dataclass(frozen=True)
class WorkerContext:
    """Access to one Redis. Its clients survive a fork: each child process reconnects.

    Attributes:
        settings: As the worker's process has read them.
        client: Of the Redis.
        place: Where shards are kept; None is that Redis.
        shutdown_signal: Whether the worker is to stop.
    """

    settings: Settings
    client: RedisClient
    place: Shards | None = None
    shutdown_signal: ShutdownSignal = field(default_factory=ShutdownSignal)

    def ledger(self, job_id: str) -> Ledger:
        """Return the ledger of one job; those used last are kept, with their requests."""
        return self._ledgers(job_id)

    @cached_property
    def _ledgers(self) -> Callable[[str], Ledger]:
        seconds = self.settings.lease_seconds
        return lru_cache(maxsize=64)(lambda job_id: Ledger(self.client, job_id, seconds))

    def results(self, job_id: str) -> Results:
        """Return the results of one job; those used last are kept, with the names of their keys."""
        return self._results(job_id)

    @cached_property
    def _results(self) -> Callable[[str], Results]:
        return lru_cache(maxsize=64)(lambda job_id: Results(self.client, job_id, self.place))

    def check_place(self, job_id: str) -> None:
        """Check that a job's shards are kept where this worker keeps them.

        Raises:
            UsageError: They are not: a directory that is not mounted, or another setting.
            StoreUnavailableError: Redis or the place refuses for now.
        """
        self._check_place(job_id)

    @cached_property
    def _check_place(self) -> Callable[[str], None]:
        return lru_cache(maxsize=64)(lambda job_id: check_place(self.client, job_id, self.place))

    @cached_property
    def messages(self) -> Messages:
        """Sends messages to the workers."""
        return Messages(self.client)

    @cached_property
    def sweeper(self) -> Sweeper:
        """Sends lost work of the active jobs again."""
        registry = Registry(self.client)
        return Sweeper(registry, self.settings, self.messages, self.place)

    @cached_property
    def limits(self) -> ImageLimits:
        """Which images may be read."""
        settings = self.settings
        return ImageLimits(
            max_bytes=settings.max_image_bytes,
            max_pixels=settings.max_image_pixels,
            roots=settings.image_roots,
        )
