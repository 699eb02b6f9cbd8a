"""How a job's progress is shown: live on a terminal, plain lines elsewhere."""

import sys
import time
from typing import TYPE_CHECKING, Protocol

import click

from shoal.producer.cli.printing import NO_ANSWER, describe
from shoal.shared.jobs import State, Status

if TYPE_CHECKING:
    from shoal.producer.client import Client
    from shoal.producer.job import Job

# Between two plain lines of the same state.
LINE_SECONDS = 5.0
NO_WORKER = "no worker is running: start one with `shoal worker`"


class Display(Protocol):
    """Shows each status of a job, and None while Redis does not answer."""

    def __enter__(self) -> "Display": ...

    def __exit__(self, *error: object) -> None: ...

    def show(self, status: Status | None, note: str = "") -> None:
        """Bring what is shown up to date."""


def make_display() -> Display:
    """Return the display that suits where standard error goes."""
    if sys.stderr.isatty():
        from shoal.producer.cli.live import LiveDisplay

        return LiveDisplay()
    return LineDisplay()


class LineDisplay:
    """A line on standard error whenever the state changes, and every few seconds."""

    def __init__(self) -> None:
        self.shown: tuple[State | None, str] | None = None
        self.shown_at = 0.0

    def __enter__(self) -> "LineDisplay":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def show(self, status: Status | None, note: str = "") -> None:
        """Print a line if there is news."""
        news = (status.state if status else None, note)
        if news == self.shown and time.monotonic() - self.shown_at < LINE_SECONDS:
            return
        self.shown, self.shown_at = news, time.monotonic()
        line = describe(status) if status else NO_ANSWER
        click.echo("; ".join(filter(None, [line, note])), err=True)


def watch_job(client: "Client", job: "Job", timeout_seconds: float | None = None) -> Status:
    """Show a job's progress until it has ended; return its last status.

    Args:
        client: Of the job's Redis.
        job: The job to watch.
        timeout_seconds: Longest time to wait; None waits as long as it takes.

    Raises:
        JobFailedError: The job failed.
        JobCancelledError: The job was cancelled.
        WaitTimeoutError: The job has not ended in time; it goes on.
    """
    with make_display() as display:
        return job.wait(
            timeout_seconds,
            lambda status: display.show(status, make_worker_note(client, status) if status else ""),
        )


def make_worker_note(client: "Client", status: Status) -> str:
    """Return that nobody works, while there is work."""
    from shoal.shared.connection import LOST  # Redis takes 0.1 s to import, and --help needs none

    if status.state.is_final:
        return ""
    try:
        idle = not client.workers.are_running()
    except LOST:
        return ""  # the next status will say so
    return NO_WORKER if idle else ""
