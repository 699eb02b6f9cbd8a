"""Workers that wait in place of decoding, and what their processes take of the processor."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen

import psutil

from shoal.shared.store import Registry
from shoal.shared.tasks import BATCHES

# Processes of one worker, as of one machine.
WORKER_PROCESSES = 16
START_SECONDS = 120
LOOK_SECONDS = 0.05
CELERY_OPTIONS = ("--without-gossip", "--without-mingle", "--without-heartbeat")


class WorkerGroup:
    """Workers on one Redis, of which more and more are started."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.environment = {**os.environ, **environment}
        self.mains: list[Popen[bytes]] = []
        self.count = 0

    def grow(self, count: int, registry: Registry) -> None:
        """Have ``count`` processes in all, and wait until they take work."""
        while self.count < count:
            size = min(WORKER_PROCESSES, count - self.count)
            self._start(size)
            self.count += size
        deadline = time.monotonic() + START_SECONDS
        while len(registry.workers(START_SECONDS)) < len(self.mains):
            assert time.monotonic() < deadline, f"workers do not start: see {self.directory}"
            time.sleep(LOOK_SECONDS)

    def _start(self, size: int) -> None:
        name = f"worker-{len(self.mains)}@%h"
        options = ["-Q", BATCHES, "-c", str(size), "-n", name, "-l", "info", *CELERY_OPTIONS]
        command = [sys.executable, "-m", "benchmarks.waiting_worker", *options]
        with (self.directory / f"worker-{len(self.mains)}.log").open("wb") as log:
            self.mains.append(
                Popen(command, env=self.environment, stdin=DEVNULL, stdout=log, stderr=STDOUT)
            )

    def cpu_seconds(self) -> float:
        """Return the processor time of all of their processes, in seconds."""
        mains = [psutil.Process(main.pid) for main in self.mains]
        times = [p.cpu_times() for main in mains for p in (main, *main.children())]
        return float(sum(cpu.user + cpu.system for cpu in times))

    def stop(self) -> None:
        """End all of them."""
        for main in self.mains:
            main.terminate()
        for main in self.mains:
            main.wait()
