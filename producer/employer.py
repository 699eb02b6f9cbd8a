"""Who sees to it that somebody works for a Redis."""

from contextlib import suppress

from shoal.producer.local import LocalWorkers
from shoal.shared.connection import LOST
from shoal.shared.cores import count_cores
from shoal.shared.jobs import Status
from shoal.shared.settings import Settings
from shoal.shared.store import Registry


class Employer:
    """Starts workers on this machine where nobody else works, and ends them.

    Attributes:
        workers: Its own, while it has any.
    """

    def __init__(self, registry: Registry, settings: Settings, *, is_willing: bool) -> None:
        """Prepare; nobody is started.

        Args:
            registry: Knows who works.
            settings: Of the workers.
            is_willing: Whether ``employ`` may start any; where others do, it does not.
        """
        self.registry = registry
        self.settings = settings
        self.is_willing = is_willing
        self.has_work = False
        self.workers: LocalWorkers | None = None

    def has_workers(self) -> bool:
        """Return whether there are workers: its own, or any that gave a sign of life lately."""
        if self.workers:
            return True
        return bool(self.registry.workers(within_seconds=self.settings.sweep_seconds * 3))

    def start_workers(self, concurrency: int | None = None) -> None:
        """Start workers, which end with ``close``, in the place of those it has.

        Args:
            concurrency: Processes that load; None is one a core.
        """
        self.close()
        self.workers = LocalWorkers(self.settings, concurrency or count_cores())
        self.workers.start()

    def employ(self) -> None:
        """Start workers if it may, now or as soon as nobody else works.

        Its own that have ended are replaced.
        """
        self.has_work = self.is_willing
        if self.workers and self.workers.have_ended():
            self.close()
        self._start_where_nobody_works()

    def check(self, status: Status) -> None:
        """See to it that somebody works on the job of ``status``.

        Raises:
            ShoalError: A worker of its own has ended by itself.
        """
        if self.workers:
            self.workers.check(status)
        self._start_where_nobody_works()

    def _start_where_nobody_works(self) -> None:
        with suppress(*LOST):  # whoever waits will look again
            if self.has_work and not self.has_workers():
                self.start_workers()

    def close(self) -> None:
        """End the workers of its own."""
        if self.workers:
            self.workers.stop()
            self.workers = None
