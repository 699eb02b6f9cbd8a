"""What commands print about jobs and folders, in lines or as JSON."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from shoal.producer.cli.terminal import print_line, print_note
from shoal.producer.cli.words import in_commands
from shoal.producer.export.models import export_json
from shoal.producer.progress_line import describe
from shoal.producer.submission.listing import Listing
from shoal.shared.errors import JobCancelledError, JobFailedError, WaitTimeoutError
from shoal.shared.jobs import AUTO, DEFAULTS, ImageCounts, JobRequest, Status
from shoal.shared.sources.paths import join
from shoal.shared.text import show_count

if TYPE_CHECKING:
    from shoal.producer.client import Client
    from shoal.producer.job import Job


def describe_known(images: ImageCounts) -> str:
    """Describe how many images earlier jobs had loaded; "" if they had none."""
    if not images.known:
        return ""
    loaded = images.total - images.known
    return f"{images.known:,} of {show_count(images.total, 'image')} known, {loaded:,} loaded"


def describe_options(request: JobRequest) -> str:
    """Describe in a line what was asked for: always the common options, others if given."""
    chosen = request.clusters == AUTO
    clusters = "auto clusters" if chosen else show_count(int(request.clusters), "cluster")
    parts = [request.features, f"{request.image_size} px", clusters]
    if request.images_of:
        parts.append(f"images of {request.images_of}")
    if request.algorithm is not DEFAULTS.algorithm:
        parts.append(request.algorithm)
    for name in ("level", "components", "random_state", "batch_size"):
        value = getattr(request, name)
        if value != getattr(DEFAULTS, name):
            parts.append(f"{name.replace('_', ' ')} {value}")
    flags = {"renumber": request.renumber, "keep model": request.keep_model}
    parts += [name for name, is_set in flags.items() if is_set]
    parts += [f"without {pattern}" for pattern in request.exclude]
    if request.model_of:
        parts.append(f"clusters of job {request.model_of}")
    return ", ".join(parts)


@contextmanager
def print_status_on_error(job: "Job", as_json: bool) -> Iterator[None]:
    """Print the job's last status before an error ends a ``--json`` command: scripts read it."""
    try:
        yield
    except (JobFailedError, JobCancelledError, WaitTimeoutError):
        if as_json:
            print_status(job.status(), as_json)
        raise


def print_status(status: Status, as_json: bool) -> None:
    """Print a status to standard output, as JSON or in lines."""
    if as_json:
        print_line(export_json(status))
        return
    print_line(f"{status.job_id}  {describe(status)}")
    print_line(f"source  {status.request.title}")
    if status.error:
        print_line(f"error   {in_commands(status.error)}")


def print_jobs(statuses: list[Status], as_json: bool) -> None:
    """Print jobs to standard output, as JSON or one per line."""
    if as_json:
        print_line(export_json(statuses))
        return
    for status in statuses:
        created = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.created_at))
        parts = (describe(status), describe_options(status.request), status.request.title)
        print_line("  ".join([status.job_id, created, *parts]))


def print_message(message: str) -> None:
    """Print to standard error what a client notes."""
    print_note(in_commands(message))


class NoteHandler(logging.Handler):
    """Prints what the client logs, as it prints its messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print an event."""
        print_message(record.getMessage())


def warn_if_idle(client: "Client", status: Status | None = None) -> None:
    """Print a warning if no worker is running that takes a job, or one that is submitted now."""
    if lack := client.workers.describe_lack(status):
        print_note(f"{lack[:1].upper()}{lack[1:]}: start one with `shoal worker`.")


def print_left_out(listing: Listing) -> None:
    """Print to standard error which files of a folder are left out."""
    for line in replace(listing.left_out, unreadable=0, damaged=()).lines:
        print_note(f"Left out {line}")
    for line in listing.left_out.damaged:
        print_note(line)
    for path in listing.unreadable[:5]:
        print_note(f"Cannot be read: {join(listing.source, path)}")
    if len(listing.unreadable) > 5:
        print_note(f"… and {len(listing.unreadable) - 5:,} more")
