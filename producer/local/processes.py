"""The processes of workers on this machine; starting them imports nothing that takes long."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from shutil import rmtree
from socket import gethostname

from shoal.producer.local.environment import worker_environment
from shoal.shared.cores import count_cores
from shoal.shared.encoding import UTF8_MODE
from shoal.shared.errors import ShoalError
from shoal.shared.jobs import Status
from shoal.shared.server.embedded import home_of, shorten
from shoal.shared.server.locks import make_private, open_private
from shoal.shared.settings import Settings, make_environment
from shoal.shared.tasks import BATCHES, CALLBACKS, REFUSAL

# A worker that is told to stop may first finish the images it is loading.
END_SECONDS = 15.0


class WorkerProcesses:
    """Workers on this machine: one process that fits, and ``concurrency`` that load batches.

    However this process ends, their standard input closes with it, and they stop.
    """

    def __init__(self, settings: Settings, concurrency: int | None = None) -> None:
        """Set up without starting anything.

        Args:
            settings: Passed on to the workers.
            concurrency: Number of processes that load batches; None is one per core.
        """
        self.settings = settings
        # The one that fits first: it imports scikit-learn while the others already decode.
        self.queues = {CALLBACKS: 1, BATCHES: concurrency or count_cores()}
        self.names = {queue: f"{queue}-{os.getpid()}@{gethostname()}" for queue in self.queues}
        self.log = home_of(settings) / "worker.log"
        self.log_start = 0
        self.processes: list[subprocess.Popen[bytes]] = []
        self.temporary = ""

    def start(self) -> None:
        """Start the workers; they run until ``stop``. The server may not be running yet.

        Raises:
            OSError: They cannot be started.
            SettingsError: The directory of the embedded server cannot be used.
        """
        make_private(self.log.parent)
        # Celery and billiard leave files behind where a process is killed.
        self.temporary = tempfile.mkdtemp(prefix="shoal-")
        environment = worker_environment() | make_environment(self.settings) | UTF8_MODE
        environment["TMPDIR"] = self.temporary
        with open_private(self.log) as log:
            shorten(self.log)
            self.log_start = self.log.stat().st_size
            for queue, concurrency in self.queues.items():
                self.processes.append(
                    subprocess.Popen(
                        _worker_command(queue, concurrency, self.names[queue]),
                        stdin=subprocess.PIPE,
                        stdout=log,
                        stderr=log,
                        env=environment,
                        start_new_session=True,  # Ctrl-C cancels the job; the workers follow
                    )
                )

    def stop(self, *, at_once: bool = False) -> None:
        """Stop the workers that are still running.

        Args:
            at_once: Kill them: Celery takes two seconds to end a worker that does nothing.
        """
        if not at_once:
            self._wait_for_end()
        for process in self.processes:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # its pool and decoders too
            process.communicate()
        self.processes.clear()  # other processes may soon have their numbers
        if self.temporary:
            rmtree(self.temporary, ignore_errors=True)

    def _wait_for_end(self) -> None:
        for process in self.processes:
            if process.stdin:
                process.stdin.close()
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)

    def have_ended(self) -> bool:
        """Return whether any of the processes has ended, by itself or because it was killed."""
        return any(process.poll() is not None for process in self.processes)

    def check_running(self, status: Status) -> None:
        """Check that all workers are running, unless the job has ended.

        Raises:
            ShoalError: A worker has ended by itself, so the job would never end.
        """
        if not status.state.is_final and self.have_ended():
            raise ShoalError(
                f"A worker process has ended: {self._last_words() or f'{self.log} says why.'}"
                f" Job {status.job_id} continues with the next `shoal run` or `shoal worker`."
            )

    def _last_words(self) -> str:
        """Return why a worker could not start, as it has written into its log; empty if it did."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            lines = log.read().decode(errors="replace").splitlines()
        refusals = [reason for reason in map(_find_refusal, lines) if reason]
        return f"{refusals[-1]} (see {self.log})." if refusals else ""


def _find_refusal(line: str) -> str:
    """Return why a worker could not start, if a line of its log says so; it may be JSON."""
    with suppress(ValueError, LookupError, TypeError):
        line = json.loads(line)["msg"]
    return line.removeprefix(REFUSAL) if line.startswith(REFUSAL) else ""


def _worker_command(queue: str, concurrency: int, name: str) -> list[str]:
    # -P: Python must not import modules from the current directory instead of ours.
    return [sys.executable, "-P", "-m", "shoal.worker", queue, str(concurrency), name]
