"""``python -m shoal.worker …``: a Celery worker that ends with the process that started it.

Its standard input is a pipe from that process: when it closes, however the process ended,
the worker shuts down.
"""

import gc
import os
import signal
import sys
import threading


def end_with_parent() -> None:
    """Wait until standard input closes, then begin a warm shutdown."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the worker."""
    # What is imported stays: looking through it for garbage takes a third of the time of importing
    # it. ``app`` enables the collector once all is there.
    gc.disable()
    from shoal.worker.app import app

    threading.Thread(target=end_with_parent, name="parent", daemon=True).start()
    sys.exit(app.start(["worker", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
