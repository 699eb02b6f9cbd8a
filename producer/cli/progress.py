"""Progress of a job: a live bar on a terminal, plain lines elsewhere."""

import sys
import time
from typing import TYPE_CHECKING, Protocol

from shoal.producer.cli.terminal import print_note
from shoal.producer.progress_line import NO_ANSWER, describe
from shoal.shared.errors import StoreUnavailableError
from shoal.shared.jobs import State, Status

if TYPE_CHECKING:
    from shoal.producer.client import Client
    from shoal.producer.job import Job

# Time between two lines about the same state.
LINE_SECONDS = 5.0
# A job without progress for so long may be waiting for something.
STILL_SECONDS = 3.0
START_WORKER = ": start one with `shoal worker`"


class Display(Protocol):
    """Shows each status of a job, and None while Redis does not answer."""

    def __enter__(self) -> "Display": ...

    def __exit__(self, *error: object) -> None: ...

    def show(self, status: Status | None, note: str = "") -> None:
        """Show a new status."""


def make_display() -> Display:
    """Make a live display if standard error is a terminal, else one of plain lines."""
    if sys.stderr.isatty():
        from shoal.producer.cli.live import LiveDisplay

        return LiveDisplay()
    return LineDisplay()


class LineDisplay:
    """Prints a line to standard error when the state changes, and every few seconds."""

    def __init__(self) -> None:
        self.shown: tuple[State | None, str] | None = None
        self.shown_at = 0.0

    def __enter__(self) -> "LineDisplay":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def show(self, status: Status | None, note: str = "") -> None:
        """Print a line if the state or the note changed, or some seconds have passed."""
        # How long ago it was is news only every few seconds.
        news = (status.state, note) if status else (None, "")
        if news == self.shown and time.monotonic() - self.shown_at < LINE_SECONDS:
            return
        self.shown, self.shown_at = news, time.monotonic()
        line = describe(status) if status else NO_ANSWER
        print_note("; ".join(filter(None, [line, note])))


def watch_job(client: "Client", job: "Job", timeout_seconds: float | None = None) -> Status:
    """Show a job's progress until it has finished.

    Args:
        client: Knows whether workers are running.
        job: The job to watch.
        timeout_seconds: Longest time to wait; None waits as long as it takes.

    Returns:
        The job's last status.

    Raises:
        JobFailedError: The job failed.
        JobCancelledError: The job was cancelled.
        WaitTimeoutError: The job has not ended in time; it goes on.
        KeyboardInterrupt: The user has stopped this; the message says what the job does.
    """
    heard_at = moved_at = time.monotonic()
    progress = 0.0

    def show(status: Status | None) -> None:
        nonlocal heard_at, moved_at, progress
        now = time.monotonic()
        if status is None:
            display.show(None, f"last heard of {now - heard_at:.0f} s ago")
            return
        heard_at = now
        if status.progress != progress:
            moved_at, progress = now, status.progress
        is_still = now - moved_at > STILL_SECONDS
        note = make_worker_note(client, status) or (
            make_refusal_note(job, status) if is_still else ""
        )
        display.show(status, note)

    try:
        with make_display() as display:
            return job.wait(timeout_seconds, show)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted. Job {job.id} was not: `shoal wait {job.id}` waits on,"
            f" `shoal cancel {job.id}` cancels it."
        ) from None


def make_worker_note(client: "Client", status: Status) -> str:
    """Return a warning if the job has work but no worker is running that takes it."""
    try:
        lack = client.workers.describe_lack(status)
        return lack and lack + START_WORKER
    except StoreUnavailableError:
        return ""  # the next status will show that Redis does not answer


def make_refusal_note(job: "Job", status: Status) -> str:
    """Return what its source or the place of its shards has refused the job's workers of late."""
    if status.state.is_final:
        return ""
    try:
        return job.ledger.refusal()
    except StoreUnavailableError:
        return ""  # as above
