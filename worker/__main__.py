"""``python -m shoal.worker QUEUE CONCURRENCY NAME``: a worker that ends with who started it.

Its standard input is a pipe from that process: when it closes, however the process ended,
the worker shuts down.
"""

import gc
import os
import signal
import sys
import threading
from typing import Any


def end_with_parent() -> None:
    """Wait until standard input closes, then begin a warm shutdown."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def run_worker(queue: str, concurrency: str, name: str) -> int:
    """Work until told to stop; return the exit code.

    Args:
        queue: Where messages are taken from.
        concurrency: Number of processes.
        name: Of the worker, among all that share the Redis.
    """
    from shoal.worker.app import app

    # As Celery's command line does, whose import takes 0.15 s. Workers know each other through
    # the ledger; Celery's own means cost a second at the start.
    options = dict.fromkeys(["without_gossip", "without_mingle", "without_heartbeat"], True)
    worker: Any = app.Worker(
        hostname=name, queues=[queue], concurrency=int(concurrency), loglevel="INFO", **options
    )
    worker.start()
    return worker.exitcode or 0


def main() -> None:
    """Run the worker."""
    # What is imported stays: looking through it for garbage takes a third of the time of importing
    # it. ``app`` enables the collector once all is there.
    gc.disable()
    # Before what takes long to import: until then, the signal ends this process at once.
    threading.Thread(target=end_with_parent, name="parent", daemon=True).start()
    sys.exit(run_worker(*sys.argv[1:]))


if __name__ == "__main__":
    main()
