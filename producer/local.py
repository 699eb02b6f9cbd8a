"""Workers on this machine, started for the embedded server; they end with this process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from socket import gethostname

from shoal.shared.cores import count_cores
from shoal.shared.encoding import UTF8_MODE
from shoal.shared.errors import ShoalError, StoreUnavailableError, UsageError
from shoal.shared.jobs import Status
from shoal.shared.server.embedded import home_of, shorten
from shoal.shared.server.locks import open_private
from shoal.shared.settings import Settings, make_environment
from shoal.shared.store import Registry
from shoal.shared.tasks import BATCHES, CALLBACKS, REFUSAL

# A worker that is told to stop may first finish the images it is loading.
END_SECONDS = 15.0
CHECK_MODEL = """
import pathlib, sys
from shoal.shared.errors import ShoalError
from shoal.worker.extractors.embedding import check_model
try:
    check_model(pathlib.Path(sys.argv[1]))
except ShoalError as error:
    print(error)
    sys.exit(1)
"""
# Beside those that begin with CELERY_.
CELERY_VARIABLES = {
    *("APP", "BROKER_URL", "CONFIG_MODULE", "LOADER", "RESULT_BACKEND", "SKIP_CHECKS"),
    *("DJANGO_SETTINGS_MODULE", "FORKED_BY_MULTIPROCESSING", "REMAP_SIGTERM"),
}
# Workers know each other through the ledger; Celery's own means cost a second at the start.
CELERY_OPTIONS = ("--without-gossip", "--without-mingle", "--without-heartbeat")


def worker_environment() -> dict[str, str]:
    """Return the environment of a worker, without what changes how Celery works.

    A project of the user's own that uses Celery may have set it; and Celery's workers set some of
    it for all processes that they start, which may use Shoal.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CELERY_") and name not in CELERY_VARIABLES
    }


def check_model(path: Path) -> None:
    """Check that workers can use an ONNX model, in a process of its own: this one imports no numpy.

    Raises:
        UsageError: They cannot; the message says why.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHECK_MODEL, os.fspath(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # of libraries
        env=worker_environment() | {"PYTHONIOENCODING": "utf-8:surrogateescape"},
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )
    if done.returncode:
        reason = done.stdout.strip() or f"loading {path} ended its process ({done.returncode})"
        raise UsageError(f"SHOAL_EMBEDDING_MODEL: {reason}")


class WorkerProcesses:
    """Workers on this machine: ``concurrency`` processes that load batches, and one that fits.

    The one that fits imports scikit-learn while the others already decode. However this
    process ends, their standard input closes with it, and they stop.
    """

    def __init__(self, settings: Settings, concurrency: int) -> None:
        self.environment = worker_environment() | make_environment(settings) | UTF8_MODE
        self.queues = {BATCHES: concurrency, CALLBACKS: 1}
        self.names = {queue: f"{queue}-{os.getpid()}@{gethostname()}" for queue in self.queues}
        self.log = home_of(settings) / "worker.log"
        self.log_start = 0
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the workers; they run until ``stop``.

        Raises:
            OSError: They cannot be started.
        """
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
                        env=self.environment,
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
        refusals = [line for line in lines if line.startswith(REFUSAL)]
        return f"{refusals[-1].removeprefix(REFUSAL)} (see {self.log})." if refusals else ""


def _worker_command(queue: str, concurrency: int, name: str) -> list[str]:
    options = ["-Q", queue, "-c", str(concurrency), "-n", name, "-l", "info"]
    # -P: Python must not import modules from the current directory instead of ours.
    return [sys.executable, "-P", "-m", "shoal.worker", *options, *CELERY_OPTIONS]


class LocalWorkers:
    """Starts workers on this machine if none are running, and stops those it started.

    Attributes:
        processes: The workers it started; None if there are none.
    """

    def __init__(self, registry: Registry, settings: Settings, *, may_start: bool) -> None:
        """Set up without starting anything.

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
        """Start workers, replacing those that it started before.

        Args:
            concurrency: Number of processes that load images; None is one per core.
        """
        self.close()
        self.processes = WorkerProcesses(self.settings, concurrency or count_cores())
        self.processes.start()

    def ensure_running(self) -> None:
        """Start workers if none are running; from now on ``keep_running`` does the same.

        Workers that it started and that have ended are replaced.
        """
        self.is_needed = self.may_start
        if self.processes and self.processes.have_ended():
            self.close()
        self._start_if_none_runs()

    def keep_running(self, status: Status) -> None:
        """Start workers again if none are running and ``ensure_running`` was called.

        Raises:
            ShoalError: A worker that it started has ended by itself, before the job.
        """
        if self.processes:
            self.processes.check_running(status)
        self._start_if_none_runs()

    def _start_if_none_runs(self) -> None:
        with suppress(StoreUnavailableError):  # the next call looks again
            if self.is_needed and not self.are_running():
                self.start()

    def close(self) -> None:
        """Stop the workers that it started; those that nothing needs, without their farewells."""
        if self.processes:
            is_at_rest = self._is_at_rest()
            self.processes.stop(at_once=is_at_rest)
            if is_at_rest:
                self._forget(self.processes.names.values())
            self.processes = None

    def _is_at_rest(self) -> bool:
        with suppress(StoreUnavailableError):
            return self.registry.is_at_rest()
        return False

    def _forget(self, names: Iterable[str]) -> None:
        with suppress(StoreUnavailableError):  # then they are forgotten without a heartbeat
            for name in names:
                self.registry.forget_worker(name)
