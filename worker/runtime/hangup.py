"""SIGHUP, which a terminal sends when it closes: the worker ends as with SIGTERM.

Celery begins the program anew if standard output is a file, also under nohup, and cannot do so
with the command that `shoal worker` makes.
"""

import signal
from typing import Any

from celery import bootsteps
from celery.signals import worker_process_init

# Read before Celery sets its handlers: nohup has the signal ignored.
IS_IGNORED = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


class HangupStep(bootsteps.StartStopStep):
    """Has SIGHUP end the worker, unless it was started with the signal ignored."""

    def start(self, worker: Any) -> None:  # noqa: ARG002  Celery's signature
        """Set the handler; Celery has set its own before."""
        handler = signal.SIG_IGN if IS_IGNORED else signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGHUP, handler)

    def stop(self, worker: Any) -> None:
        """Leave the handler: the worker is ending."""


@worker_process_init.connect
def ignore_hangup(**_: object) -> None:
    """Let a process of the pool go on with its batch: the worker decides when it ends."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
