"""Fingerprints of submissions, to find a job with the same images and options."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator

from shoal.producer.submission.folder import Folder
from shoal.shared.errors import show_call
from shoal.shared.jobs import JobRequest, State, Status
from shoal.shared.settings import Settings
from shoal.shared.text import show_count
from shoal.shared.wire import encode

# A job that expires sooner is not reused: it must still exist when its result is read.
SOON_SECONDS = 60.0

Notify = Callable[[str], None]


def make_fingerprint(request: JobRequest, folder: Folder, settings: Settings) -> str:
    """Hash all that labels depend on, apart from the content of the images.

    That is the options, the paths, the directories and the submitter's settings that affect
    labels.
    """
    digest = hashlib.sha256(encode(request))
    for part in (str(settings.fit_memory), *_describe_model(request, settings), *folder.paths):
        digest.update(b"\0" + os.fsencode(part))
    for inode in _read_inodes(folder):
        digest.update(b"\0%d" % inode)
    return digest.hexdigest()


def _describe_model(request: JobRequest, settings: Settings) -> Iterator[str]:
    """Yield path and time of a model of the user's own; nothing for the included model."""
    path = settings.embedding_model
    if path and "embedding" in request.features:
        yield os.fspath(path)
        if path.is_file():
            yield str(path.stat().st_mtime_ns)


def _read_inodes(folder: Folder) -> Iterator[int]:
    """Yield the inode of each directory that has images.

    If two directories swap their names, neither the paths nor the times of the images change.
    """
    root = os.fspath(folder.source)
    for directory in sorted({path.rpartition("/")[0] for path in folder.paths}):
        try:
            yield os.stat(f"{root}/{directory}").st_ino  # noqa: PTH116  as below
        except OSError:
            yield 0


def find_same_job(
    statuses: Iterable[Status], folder: Folder, now: float, notify: Notify
) -> Status | None:
    """Find the first job that has a result of the images as they are now, or will have one.

    Args:
        statuses: Statuses of the jobs with the folder's fingerprint.
        folder: The images.
        now: Time on the server's clock, in seconds since 1970, like the times of jobs.
        notify: Called with a message for the user about the job that was found.
    """
    stopped = []
    for status in statuses:
        if status.state in {State.FAILED, State.CANCELLED}:
            stopped.append(status)
        elif not _is_expiring(status, now) and not _any_changed(folder, status.created_at):
            notify(_describe_found(status))
            return status
    for status in stopped[:1]:
        notify(_describe_stopped(status))
    return None


def _is_expiring(status: Status, now: float) -> bool:
    """Return whether a job may expire before its result is read."""
    return status.expires_at is not None and status.expires_at < now + SOON_SECONDS


def _any_changed(folder: Folder, since: float) -> bool:
    """Return whether any image of a folder was changed after ``since``, or cannot be read.

    The inode's time counts too: a copy of an older file over an image may keep that file's time.
    """
    root = os.fspath(folder.source)
    try:
        for path in folder.paths:
            # Not with pathlib, which takes three times as long for 100,000 files.
            name = f"{root}/{path}"
            status = os.lstat(name)
            if _is_newer(status, since):
                return True
            if stat.S_ISLNK(status.st_mode) and _is_newer(os.stat(name), since):  # noqa: PTH116
                return True
    except OSError:
        return True
    return False


def _is_newer(status: os.stat_result, since: float) -> bool:
    """Return whether a file was changed after ``since``, in seconds since 1970."""
    return max(status.st_mtime, status.st_ctime) > since


def _describe_found(status: Status) -> str:
    job_id, failed = status.job_id, status.images.failed
    found = f"Job {job_id} already has these images and options ({status.state});"
    if failed and status.state is State.FINISHED:
        images = show_count(failed, "failed image")
        found += f" {show_call(job_id, 'retry', failed_only=True)} tries {images} again;"
    return f"{found} `force=True` runs it again as a new job."


def _describe_stopped(status: Status) -> str:
    return (
        f"Job {status.job_id} has these images and options too, but {_describe_end(status.state)}:"
        f" {show_call(status.job_id, 'retry')} would continue it. This is a new job."
    )


def _describe_end(state: State) -> str:
    return "failed" if state is State.FAILED else "was cancelled"
