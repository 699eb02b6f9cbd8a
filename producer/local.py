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
CELERY_OPTIONS = ("--without-gossip", "--without-mingle", "--without-heartbeat")


class WorkerProcesses:
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
                        _worker_command(queue, concurrency),
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

    def check_running(self, status: Status) -> None:
        """Check that the workers are there as long as the job of ``status`` needs them.

        Raises:
            ShoalError: One has ended by itself, which none should: the job would never end.
        """
        if not status.state.is_final and self.have_ended():
            raise ShoalError(
                f"A worker process has ended: {self.log} says why."
                f" Job {status.job_id} goes on with the next `shoal run` or `shoal worker`."
            )


def _worker_command(queue: str, concurrency: int) -> list[str]:
    """Return the command of a worker for one queue."""
    name = f"{queue}-{os.getpid()}@%h"
    options = ["-Q", queue, "-c", str(concurrency), "-n", name, "-l", "info"]
    # -P: what lies in the current directory must not be taken for our modules.
    return [sys.executable, "-P", "-m", "shoal.worker", *options, *CELERY_OPTIONS]


class LocalWorkers:
    """Starts workers on this machine if none are running, and stops those it started.

    Attributes:
        processes: Those it started, while there are any.
    """

    def __init__(self, registry: Registry, settings: Settings, *, may_start: bool) -> None:
        """Prepare; nothing is started.

        Args:
            registry: Knows which workers are running, on any machine.
            settings: Passed on to the workers.
            may_start: Whether ``ensure_running`` may start workers; ``start`` always does.
        """
        self.registry = registry
        self.settings = settings
        self.may_start = may_start
        self.is_needed = False
        self.processes: WorkerProcesses | None = None

    def are_running(self) -> bool:
        """Return whether workers are running, here or on another machine."""
        if self.processes:
            return True
        return bool(self.registry.workers(within_seconds=self.settings.sweep_seconds * 3))

    def start(self, concurrency: int | None = None) -> None:
        """Start workers, in place of any that it started before.

        Args:
            concurrency: Processes that load images; None is one per core.
        """
        self.close()
        self.processes = WorkerProcesses(self.settings, concurrency or count_cores())
        self.processes.start()

    def ensure_running(self) -> None:
        """Start workers if it may and none are running, now or as soon as that is so.

        Workers that it started and that have ended are replaced.
        """
        self.is_needed = self.may_start
        if self.processes and self.processes.have_ended():
            self.close()
        self._start_if_none_runs()

    def keep_running(self, status: Status) -> None:
        """Check that a job that has not ended has workers; start them if none are running.

        Raises:
            ShoalError: A worker that it started has ended by itself.
        """
        if self.processes:
            self.processes.check_running(status)
        self._start_if_none_runs()

    def _start_if_none_runs(self) -> None:
        with suppress(*LOST):  # whoever waits will look again
            if self.is_needed and not self.are_running():
                self.start()

    def close(self) -> None:
        """Stop the workers that it started."""
        if self.processes:
            self.processes.stop()
            self.processes = None
