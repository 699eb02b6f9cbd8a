"""Embedded mode: worker processes on this machine, which end with this process."""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from shared.errors import ShoalError
from shared.jobs import Status
from shared.tasks import BATCHES, CALLBACKS

# A worker that is told to end may first finish the images it is at.
END_SECONDS = 15.0
# Workers know of each other through the ledger; Celery's ways cost a second at the start.
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


class LocalWorkers:
    """Workers on this machine, as a context: ``concurrency`` processes for batches, one to fit.

    The one that fits imports scikit-learn while the others already decode. However this
    process ends, its end of their standard input closes, and they follow.
    """

    def __init__(self, redis_url: str | None, concurrency: int, log: Path) -> None:
        self.environment = dict(os.environ, **({"SHOAL_REDIS_URL": redis_url} if redis_url else {}))
        self.queues = {BATCHES: concurrency, CALLBACKS: 1}
        self.log = log
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "LocalWorkers":
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
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self.processes:
            assert process.stdin  # noqa: S101  asked for above
            process.stdin.close()
        for process in self.processes:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def note_end(self, status: Status) -> str:
        """Return nothing to be said beside ``status`` while the workers are there.

        Raises:
            ShoalError: One has ended by itself, which none should: the job would never end.
        """
        if not status.state.is_final and any(p.poll() is not None for p in self.processes):
            raise ShoalError(
                f"A worker process has ended: {self.log} says why."
                f" Job {status.job_id} goes on with the next `shoal run` or `shoal worker`."
            )
        return ""


def worker_command(queue: str, concurrency: int) -> list[str]:
    """Return the command of a worker for one queue."""
    name = f"{queue}-{os.getpid()}@%h"
    options = ["-Q", queue, "-c", str(concurrency), "-n", name, "-l", "info"]
    return [sys.executable, "-m", "worker", *options, *QUIET]
