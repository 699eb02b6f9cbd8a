"""Whether workers run, here or elsewhere, and those that a client starts and stops."""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, RLock

from shoal.producer.local.processes import WorkerProcesses
from shoal.shared.errors import StoreUnavailableError
from shoal.shared.jobs import Status
from shoal.shared.settings import Settings
from shoal.shared.store import Registry
from shoal.shared.store.protocols import describe_origin, find_version
from shoal.shared.tasks import KNOWN, PROTOCOL

# However many ask, Redis is asked once in this time.
LOOK_SECONDS = 2.0
# By what a job was submitted: protocol, version.
Origin = tuple[int, str]
NO_WORKER = "no worker is running"


@dataclass(frozen=True)
class WorkersSign:
    """Whether workers run.

    Attributes:
        running: Whether any does that takes the jobs it is asked about.
        heard_at: If none does, when one gave its last heartbeat, in seconds since 1970; None if
            none has within the hour.
        lack: What is lacking, in words; "" if workers run.
    """

    running: bool
    heard_at: float | None = None
    lack: str = ""


class LocalWorkers:
    """Starts workers on this machine if none are running, and stops those it started.

    Threads may share it: however many ask at once, workers are started once.

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
        self._signs = dict[Origin, tuple[WorkersSign, float]]()  # each with the time of its look
        self._look_lock = Lock()
        self._lock = RLock()

    def look(self, status: Status | None = None) -> WorkersSign:
        """Tell whether workers run, as of some moments ago; for many that ask again and again.

        Args:
            status: Of a job that they are to take; None: one that is submitted now.
        """
        origin = _find_origin(status)
        with self._look_lock:
            sign, looked_at = self._signs.get(origin, (None, 0.0))
            if sign is None or time.monotonic() - looked_at >= LOOK_SECONDS:
                sign = self._read_sign(origin)
                self._signs[origin] = sign, time.monotonic()
            return sign

    def _read_sign(self, origin: Origin) -> WorkersSign:
        lack = self._describe_lack(origin)
        if not lack:
            return WorkersSign(running=True)
        late, lost = self.settings.late_seconds, self.settings.lost_seconds
        silent = [
            worker.silent_seconds
            for worker in self.registry.list_workers(late, lost)
            if origin[0] in worker.protocols
        ]
        # Whole seconds: the same sign is told once.
        return WorkersSign(False, round(time.time() - min(silent)) if silent else None, lack)

    def are_running(self, protocol: int = PROTOCOL) -> bool:
        """Return whether workers are running, here or elsewhere, that take jobs of a protocol."""
        if self.processes and protocol in KNOWN:
            return True
        return bool(self.registry.workers(self.settings.sweep_seconds * 3, protocol))

    def describe_lack(self, status: Status | None = None) -> str:
        """Say what a job lacks that has work to do: workers, or those of its version; "" if none.

        Args:
            status: Of the job; None: one that is submitted now.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        if status and status.state.is_final:
            return ""
        return self._describe_lack(_find_origin(status))

    def _describe_lack(self, origin: Origin) -> str:
        protocol, version = origin
        if self.are_running(protocol):
            return ""
        if not self.registry.workers(self.settings.sweep_seconds * 3):
            return NO_WORKER
        return f"{NO_WORKER} that takes jobs of {describe_origin(version, protocol)}"

    def start(self, concurrency: int | None = None) -> None:
        """Start workers, replacing those that it started before.

        Args:
            concurrency: Number of processes that load images; None is one per core.
        """
        with self._lock:
            self.close()
            self.processes = WorkerProcesses(self.settings, concurrency)
            self.processes.start()

    def adopt(self, processes: WorkerProcesses) -> None:
        """Take over workers that were started before there was a client; ``close`` stops them."""
        with self._lock:
            self.close()
            self.processes = processes

    def ensure_running(self) -> bool:
        """Start workers if none are running; from now on ``keep_running`` does the same.

        Workers that it started and that have ended are replaced.

        Returns:
            Whether any are running now, or have just been started; also if Redis does not answer,
            as whoever goes on is told.
        """
        with self._lock:
            self.is_needed = self.may_start
            if self.processes and self.processes.have_ended():
                self.close()
            self._start_if_none_runs()
        try:
            return self.are_running()
        except StoreUnavailableError:  # a job that was submitted is there all the same
            return True

    def keep_running(self, status: Status) -> None:
        """Start workers again if none are running and ``ensure_running`` was called.

        Raises:
            ShoalError: A worker that it started has ended by itself, before the job.
        """
        with self._lock:
            if self.processes:
                self.processes.check_running(status)
            self._start_if_none_runs()

    def _start_if_none_runs(self) -> None:
        with suppress(StoreUnavailableError):  # the next call looks again
            if self.is_needed and not self.are_running():
                self.start()

    def close(self) -> None:
        """Stop the workers that it started; those that nothing needs, without their farewells."""
        with self._lock:
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


def _find_origin(status: Status | None) -> Origin:
    return (status.protocol, status.version) if status else (PROTOCOL, find_version())
