"""Embedded mode: worker processes on this machine, which end with this process."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

from shoal.shared.connection import check_url
from shoal.shared.cores import count_cores
from shoal.shared.embedded import home_of, shorten
from shoal.shared.errors import ShoalError
from shoal.shared.jobs import Status
from shoal.shared.settings import Settings, make_environment, read_settings
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


def become_worker(concurrency: int | None) -> None:
    """Turn this process into a worker of the Redis that is set, until it is told to stop.

    It is Celery's own: signals reach it as any Celery worker.

    Args:
        concurrency: Processes that work; None is one a core.

    Raises:
        SettingsError: A ``SHOAL_`` variable does not parse.
    """
    if url := read_settings().redis_url:
        check_url(url)
    # Two workers of one machine need two names.
    name = f"worker-{os.getpid()}@%h"
    options = ["-c", str(concurrency or count_cores()), "-n", name, "-l", "info", *QUIET]
    # -P, and our own import before Celery's: both it and Python look in the current directory
    # first, where anybody's `worker` or `celery` may lie.
    code = "import shoal.worker.app; from celery.__main__ import main; main()"
    command = [sys.executable, "-P", "-c", code, "-A", "shoal.worker.app", "worker", *options]
    os.execv(sys.executable, command)  # noqa: S606  no shell is wanted


def worker_command(queue: str, concurrency: int) -> list[str]:
    """Return the command of a worker for one queue."""
    name = f"{queue}-{os.getpid()}@%h"
    options = ["-Q", queue, "-c", str(concurrency), "-n", name, "-l", "info"]
    # -P: what lies in the current directory must not be taken for our modules.
    return [sys.executable, "-P", "-m", "shoal.worker", *options, *QUIET]
