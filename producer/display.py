"""What a person sees of a job: live progress on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from producer.folder import Folder
from producer.words import show_count
from shared.errors import JobCancelledError, JobFailedError, WaitTimeoutError
from shared.jobs import State, Status
from shared.wire import encode

if TYPE_CHECKING:
    from producer.client import Client
    from producer.job import Job

# Between two plain lines of the same state.
LINE_SECONDS = 5.0
NO_ANSWER = "Redis does not answer; trying again"
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
        from producer.live import LiveDisplay

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


def describe(status: Status) -> str:
    """Return a status in one line."""
    images = status.images
    parts = [
        f"{status.state}: {images.loaded + images.failed:,} of {show_count(images.total, 'image')}"
    ]
    if status.images_per_second:
        parts.append(f"{status.images_per_second:,.0f} images/s")
    if status.eta_seconds is not None:
        parts.append(f"{status.eta_seconds:,.0f} s left")
    if images.failed:
        parts.append(f"{images.failed:,} failed")
    return ", ".join(parts)


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
            lambda status: display.show(status, note_workers(client, status) if status else ""),
        )


@contextmanager
def last_status(job: "Job", as_json: bool) -> Iterator[None]:
    """Print the last status as JSON if the job has no result: the script reads one all the same."""
    try:
        yield
    except (JobFailedError, JobCancelledError, WaitTimeoutError):
        if as_json:
            print_status(job.status(), as_json)
        raise


def note_workers(client: "Client", status: Status) -> str:
    """Return that nobody works, while there is work."""
    from shared.connection import LOST  # Redis takes 0.1 s to import, and --help needs none

    if status.state.is_final:
        return ""
    try:
        idle = not client.employer.has_workers()
    except LOST:
        return ""  # the next status will say so
    return NO_WORKER if idle else ""


def print_status(status: Status, as_json: bool) -> None:
    """Print a status on standard output."""
    if as_json:
        click.echo(encode(status))
        return
    click.echo(f"{status.job_id}  {describe(status)}")
    click.echo(f"source  {status.request.source}")
    if status.error:
        click.echo(f"error   {status.error}")


def print_jobs(statuses: list[Status], as_json: bool) -> None:
    """Print a line a job on standard output."""
    if as_json:
        click.echo(encode(statuses))
        return
    for status in statuses:
        created = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.created_at))
        click.echo(f"{status.job_id}  {created}  {describe(status)}  {status.request.source}")


def tell(line: str) -> None:
    """Print a line for a person, who may have sent the result elsewhere."""
    click.echo(line, err=True)


def tell_idle(client: "Client") -> None:
    """Say that there is work and nobody works, if so."""
    if not client.employer.has_workers():
        tell("No worker is running yet: start one with `shoal worker`.")


def warn_about(folder: Folder) -> None:
    """Say on standard error what of a folder is left out."""
    if folder.skipped:
        kinds = ", ".join(f"{n:,} {ext or 'other'}" for ext, n in folder.skipped.most_common(5))
        click.echo(
            f"Left out {folder.skipped.total():,} files that are no images: {kinds}", err=True
        )
    for path in folder.unreadable[:5]:
        click.echo(f"Cannot be read: {folder.source / path}", err=True)
    if len(folder.unreadable) > 5:
        click.echo(f"… and {len(folder.unreadable) - 5:,} more", err=True)
