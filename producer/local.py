"""Embedded mode: worker processes on this machine, which end with this process."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

from shoal.shared.connection import LOST
from shoal.shared.cores import count_cores
from shoal.shared.errors import ShoalError
from shoal.shared.jobs import Status
from shoal.shared.server.embedded import home_of, shorten
from shoal.shared.settings import Settings, make_environment
from shoal.shared.store import Registry
from shoal.shared.tasks import BATCHES, CALLBACKS

# A worker that is told to end may first finish the images it is at.
END_SECONDS = 15.0
# Workers know of each other through the ledger; Celery's ways cost a second at the start.
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


class LocalWorkers:
    """Workers on this machine: ``concurrency`` processes for batches, one to fit.

    The one that fits imports scikit-learn while the others already decode. However this
    process ends, its end of their standard input closes, and they follow.
    """

    def __init__(self, settings: Settings, concurrency: int) -> None:
        self.environment = os.environ | make_environment(settings)
        self.queues = {BATCHES: concurrency, CALLBACKS: 1}
        self.log = home_of(settings) / "worker.log"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start them; who calls ``stop`` ends them.

        Raises:
            OSError: They cannot be started.
        """
        shorten(self.log)
        with self.log.open("ab") as log:
            for queue, concurrency in self.queues.items():
                self.processes.append(
                    subprocess.Popen(
                        worker_command(queue, concurrency),
                        stdin=subprocess.PIPE,
                        stdout=log,
                        stderr=log,
                        env=self.environment,
                        start_new_session=True,  # Ctrl-C cancels the job; the workers follow
                    )
                )

    def stop(self) -> None:
        """End what still runs of them, also if some have ended before."""
        for process in self.processes:
            if process.stdin:
                process.stdin.close()
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # its pool and decoders too
            process.wait()
        self.processes.clear()  # their numbers may soon be those of others

    def have_ended(self) -> bool:
        """Return whether a process has ended, by itself or because it was killed."""
        return any(process.poll() is not None for process in self.processes)

    def check(self, status: Status) -> None:
        """Check that the workers are there as long as the job of ``status`` needs them.

        Raises:
            ShoalError: One has ended by itself, which none should: the job would never end.
        """
        if not status.state.is_final and self.have_ended():
            raise ShoalError(
                f"A worker process has ended: {self.log} says why."
                f" Job {status.job_id} goes on with the next `shoal run` or `shoal worker`."
            )


def worker_command(queue: str, concurrency: int) -> list[str]:
    """Return the command of a worker for one queue."""
    name = f"{queue}-{os.getpid()}@%h"
    options = ["-Q", queue, "-c", str(concurrency), "-n", name, "-l", "info"]
    # -P: what lies in the current directory must not be taken for our modules.
    return [sys.executable, "-P", "-m", "shoal.worker", *options, *QUIET]


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
