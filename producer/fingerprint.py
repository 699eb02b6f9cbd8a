"""Sameness: whether a job of the same images and options is there already."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence

from producer.folder import Folder
from shared.jobs import JobRequest, State, Status
from shared.wire import encode

# A job found must still be there when its result is read.
SOON_SECONDS = 60.0

Tell = Callable[[str], None]


def make_fingerprint(request: JobRequest, paths: Sequence[str]) -> str:
    """Return what two submissions have in common if their options and paths are the same."""
    content = b"\0".join([encode(request), *map(os.fsencode, paths)])
    return hashlib.sha256(content).hexdigest()


def find_same(statuses: Iterable[Status], folder: Folder, now: float, tell: Tell) -> Status | None:
    """Return the first of some jobs that has a result, or will have, of the images as they are.

    Args:
        statuses: Of the jobs with the folder's fingerprint.
        folder: The images.
        now: Time of the server's clock, as the jobs' times are.
        tell: Called with what a person should know of the jobs.
    """
    stopped = []
    for status in statuses:
        if status.state in {State.FAILED, State.CANCELLED}:
            stopped.append(status)
        elif not is_expiring(status, now) and not any_changed(folder, status.created_at):
            tell(describe_found(status))
            return status
    for status in stopped[:1]:
        tell(describe_stopped(status))
    return None


def is_expiring(status: Status, now: float) -> bool:
    """Return whether a job may be gone before its result is read."""
    return status.expires_at is not None and status.expires_at < now + SOON_SECONDS


def any_changed(folder: Folder, since: float) -> bool:
    """Return whether any image of a folder was changed after ``since``, or cannot be seen.

    Its inode's time counts too: what copies an older file over an image keeps the file's time.
    """
    root = os.fspath(folder.source)
    try:
        for path in folder.paths:
            # Not with pathlib, which takes three times as long for 100,000 files.
            if is_newer(os.stat(f"{root}/{path}"), since):  # noqa: PTH116
                return True
    except OSError:
        return True
    return False


def is_newer(stat: os.stat_result, since: float) -> bool:
    """Return whether a file was changed after ``since``, in seconds since 1970."""
    return max(stat.st_mtime, stat.st_ctime) > since


def describe_found(status: Status) -> str:
    """Return in words that a job was found instead of a new one being made."""
    job_id, failed = status.job_id, status.images.failed
    found = f"Job {job_id} has these images and options already ({status.state});"
    if failed and status.state is State.FINISHED:
        found += f" `shoal retry {job_id} --failed-only` tries the {failed:,} again that failed;"
    return f"{found} --force runs anew."


def describe_stopped(status: Status) -> str:
    """Return in words that a job of these images and options could be retried instead."""
    return (
        f"Job {status.job_id} has these images and options too, but {verb(status.state)}:"
        f" `shoal retry {status.job_id}` would go on with it. This is a new one."
    )


def verb(state: State) -> str:
    """Return how a job without a result ended."""
    return "failed" if state is State.FAILED else "was cancelled"
