"""The sweeper in the main process of a worker, on its timer, without Celery beat."""

import logging
import time
from typing import Any

from celery import bootsteps
from celery.platforms import EX_FAILURE
from celery.worker import state
from redis import RedisError

from shoal.shared.errors import StoreUnavailableError
from shoal.shared.messaging.messages import Messages
from shoal.shared.redis.connection import connect, describe_faults
from shoal.shared.server.places import find_place
from shoal.shared.settings import read_settings
from shoal.shared.store import Registry, WorkerFacts
from shoal.shared.sweeper import Sweeper
from shoal.worker.runtime.bucket_sweep import BucketSweep
from shoal.worker.runtime.facts import describe_worker

logger = logging.getLogger(__name__)


class SweeperStep(bootsteps.StartStopStep):
    """Sweeps every few seconds and gives this worker's heartbeat."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        settings = read_settings()
        # No retries: the timer calls again, and the main process has messages to receive.
        client = connect(worker.app.redis_url, retries=0)
        self.registry = Registry(client)
        place = find_place(settings, client, is_embedded=not settings.redis_url)
        # A client of objects does not survive the forks that follow: another process sweeps those.
        swept = place if place.maps_files else None
        self.bucket_sweep = (
            BucketSweep(self.registry) if settings.shards_url and not swept else None
        )
        self.sweeper = Sweeper(self.registry, settings, Messages(client), swept)
        self.seconds = settings.sweep_seconds
        self.lost_seconds = settings.lost_seconds
        self.worker = worker
        self.started = time.monotonic()
        self.entry: Any = None
        self.checked = False

    def start(self, worker: Any) -> None:
        """Start sweeping."""
        self.entry = worker.timer.call_repeatedly(self.seconds, self.sweep, (worker.hostname,))
        self.sweep(worker.hostname)

    def stop(self, worker: Any) -> None:
        """Stop sweeping, and deregister this worker."""
        if self.entry:
            self.entry.cancel()
        try:
            self.registry.forget_worker(worker.hostname)
        except (RedisError, StoreUnavailableError):
            logger.info("could not deregister: Redis unavailable")

    def sweep(self, hostname: str) -> None:
        """Check all jobs once; while Redis is unavailable, wait for the next call."""
        try:
            self._stop_at_faults()
            self.registry.note_worker(hostname, self._describe())
            for name in self.registry.take_lost_workers(self.lost_seconds):
                logger.warning("worker lost", extra={"lost_worker": name})
            self.sweeper.sweep()
            if self.bucket_sweep:
                self.bucket_sweep.start_if_due()
        except (RedisError, StoreUnavailableError) as error:
            logger.warning("could not sweep", extra={"error": error})
        except Exception:
            # Whatever it is, the timer must call again: without it, lost work would stay lost.
            logger.exception("could not sweep")

    def _describe(self) -> WorkerFacts | None:
        try:
            return describe_worker(self.worker, time.monotonic() - self.started)
        except Exception:
            # What is only shown must keep nothing waiting that is lost.
            logger.exception("worker cannot describe itself")
            return None

    def _stop_at_faults(self) -> None:
        # Checked until Redis has answered once: it may be unavailable when the worker starts.
        if self.checked:
            return
        faults = describe_faults(self.registry.client)
        self.checked = True
        if faults:
            logger.critical("the worker stops", extra={"error": " ".join(faults)})
            # An exception would end only this call of the timer.
            state.should_stop = EX_FAILURE  # type: ignore[assignment]
