"""The sweeper in the main process of a worker, on its timer: no beat is needed."""

import logging
from typing import Any

from celery import bootsteps
from celery.platforms import EX_FAILURE
from celery.worker import state
from redis import RedisError

from shoal.shared.connection import connect, describe_faults
from shoal.shared.errors import ConnectionLostError
from shoal.shared.messaging.messages import Messages
from shoal.shared.settings import read_settings
from shoal.shared.store import Registry
from shoal.shared.sweeper import Sweeper

logger = logging.getLogger(__name__)


class SweeperStep(bootsteps.StartStopStep):
    """Sweeps every few seconds, and says that this worker is there."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        settings = read_settings()
        # No retries: the timer comes back, and the main process has messages to receive.
        self.registry = Registry(connect(worker.app.conf.shoal_redis_url, retries=0))
        self.sweeper = Sweeper(self.registry, settings, lambda: Messages(worker.app))
        self.seconds = settings.sweep_seconds
        self.entry: Any = None
        self.checked = False

    def start(self, worker: Any) -> None:
        """Begin to sweep."""
        self.entry = worker.timer.call_repeatedly(self.seconds, self.sweep, (worker.hostname,))
        self.sweep(worker.hostname)

    def stop(self, worker: Any) -> None:
        """Sweep no more, and take leave."""
        if self.entry:
            self.entry.cancel()
        try:
            self.registry.forget_worker(worker.hostname)
        except RedisError:
            logger.info("left without a word: Redis is away")

    def sweep(self, hostname: str) -> None:
        """Look after all jobs once; when Redis is away, there is a next time."""
        try:
            self._stop_at_faults()
            self.registry.note_worker(hostname)
            self.sweeper.sweep()
        except (RedisError, ConnectionLostError) as error:
            logger.warning("could not sweep", extra={"error": error})

    def _stop_at_faults(self) -> None:
        # Until it has answered once: it may have been away when the worker started.
        if self.checked:
            return
        faults = describe_faults(self.registry.client)
        self.checked = True
        if faults:
            logger.critical("the worker stops", extra={"error": " ".join(faults)})
            # An exception would only end this call of the timer.
            state.should_stop = EX_FAILURE  # type: ignore[assignment]
