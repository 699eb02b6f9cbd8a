"""Fingerprints of submissions, to find a job with the same images and options."""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from shoal.producer.submission.listing import Listing
from shoal.shared.errors import show_call
from shoal.shared.images.files import is_missing
from shoal.shared.jobs import DERIVED, JobRequest, State, Status
from shoal.shared.recipe.features import RESULTS_VERSION
from shoal.shared.settings import Settings
from shoal.shared.sources.locations import Location
from shoal.shared.sources.paths import is_url, join
from shoal.shared.text import show_count
from shoal.shared.wire import encode

# A job that expires sooner is not reused: it must still exist when its result is read.
SOON_SECONDS = 60.0
# A disk of this machine tells the state of a file in 3 µs. A file server may take a millisecond,
# most of it waiting, and then many are asked for at once.
STATES_AT_ONCE = 1000
QUICK_SECONDS = 0.05
STATE_THREADS = 32

Notify = Callable[[str], None]


def make_fingerprint(
    request: JobRequest, listing: Listing, settings: Settings, made_by: str = ""
) -> str:
    """Hash all that labels depend on, as far as it can be seen without reading an image.

    That is the options, the submitter's settings that affect labels, the paths, and of each image
    what changes whenever its content does. No clock is asked: those of Redis, of this machine and
    of a file server may differ.

    Args:
        request: The options.
        listing: The images.
        settings: Of the submitter.
        made_by: Token of the other job's model, if this one builds on another job.

    Returns:
        The fingerprint; "" if there is a file of which nothing can be known: it may have changed.
    """
    # Whether rows are looked up changes none of them.
    digest = hashlib.sha256(encode_options(replace(request, cache=True)))
    try:
        numbers = b"%d %d" % (RESULTS_VERSION, settings.fit_memory) + made_by.encode()
        if request.coordinates_of:
            # They stay as they are, whatever becomes of the images.
            digest.update(b"\0" + numbers)
            return digest.hexdigest()
        for part in (numbers, *_describe_model(request, settings)):
            digest.update(b"\0" + part)
        for part in _digest_images(listing):
            digest.update(part)
    except OSError:
        return ""
    return digest.hexdigest()


def encode_options(request: JobRequest) -> bytes:
    """Encode a request; without fields that it does not use, as before there were such fields."""
    later = (*DERIVED, "inputs", "exclude", "column")
    values = vars(request).items()
    return encode({name: x for name, x in values if x not in (None, ()) or name not in later})


def _describe_model(request: JobRequest, settings: Settings) -> Iterator[bytes]:
    """Yield path and state of a model of the user's own; nothing for the included model."""
    path = settings.embedding_model
    if path and "embedding" in request.features:
        yield os.fsencode(path)
        for file in (path, path.with_suffix(".json")):  # and its notes
            yield _describe_state(os.fspath(file)).encode()


def _digest_images(listing: Listing) -> Iterator[bytes]:
    """Yield digests of the paths of all images and of what changes with each.

    Raises:
        OSError: Nothing can be known of one.
    """
    if listing.locations is None:
        yield from _digest_states(listing.source, listing.paths)
        return
    for start in range(0, len(listing.paths), STATES_AT_ONCE):
        paths = listing.paths[start : start + STATES_AT_ONCE]
        locations = listing.locations[start : start + STATES_AT_ONCE]
        states = map(partial(_describe_image, listing.source), paths, locations)
        yield hashlib.sha256(os.fsencode("".join(states))).digest()


def _describe_image(source: str, path: str, location: Location) -> str:
    """Describe what changes with an image that has a location.

    Raises:
        OSError: Nothing can be known of it.
    """
    if location.version:
        return f"{path}\0{location.size} {location.version.hex()} {location.offset}\0"
    if location.archive or is_url(source):
        raise OSError("nobody says whether it has changed")
    return f"{path}\0{_describe_state(join(source, path))}"


def _digest_states(root: str, paths: Sequence[str]) -> Iterator[bytes]:
    """Yield digests of the paths and states of all images, so many of them in each."""

    def digest(start: int) -> bytes:
        chunk = paths[start : start + STATES_AT_ONCE]
        states = [f"{path}\0{_describe_state(join(root, path))}" for path in chunk]
        # As one text: of a million paths, encoding each by itself takes a third of a second.
        return hashlib.sha256(os.fsencode("".join(states))).digest()

    starts = range(0, len(paths), STATES_AT_ONCE)
    began = time.perf_counter()
    yield from map(digest, starts[:1])
    if time.perf_counter() - began < QUICK_SECONDS:
        yield from map(digest, starts[1:])
        return
    with ThreadPoolExecutor(STATE_THREADS) as pool:
        yield from pool.map(digest, starts[1:])


def _describe_state(path: str) -> str:
    """Describe what changes with a file: size, times and inode, of a link also of its target.

    The time of the inode tells what the file's own does not: a copy of an older file over an image
    may keep that file's time.

    Raises:
        OSError: Nothing can be known of it.
    """
    try:
        # Not with pathlib, which takes three times as long for 100,000 files.
        status = os.lstat(path)
        state = _join(status)
        return state + _join(os.stat(path)) if stat.S_ISLNK(status.st_mode) else state  # noqa: PTH116
    except OSError as error:
        if is_missing(error):
            return "missing\0"
        raise


def _join(status: os.stat_result) -> str:
    # Not the device, whose number may be another after a restart.
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}\0"


def find_same_job(statuses: Iterable[Status], now: float, notify: Notify) -> Status | None:
    """Find the first job that has a result, or will have one.

    Args:
        statuses: Statuses of the jobs with the folder's fingerprint.
        now: Time on the server's clock, in seconds since 1970, like the times of jobs.
        notify: Called with a message for the user about the job that was found.
    """
    stopped = []
    for status in statuses:
        if status.state in {State.FAILED, State.CANCELLED}:
            stopped.append(status)
        elif not _is_expiring(status, now):
            notify(_describe_found(status))
            return status
    for status in stopped[:1]:
        notify(_describe_stopped(status))
    return None


def _is_expiring(status: Status, now: float) -> bool:
    """Return whether a job may expire before its result is read."""
    return status.expires_at is not None and status.expires_at < now + SOON_SECONDS


def _describe_found(status: Status) -> str:
    job_id, failed = status.job_id, status.images.failed
    found = f"Job {job_id} already has these images and options ({status.state});"
    # Those of coordinates were loaded by another job, which alone could try them again.
    if failed and status.state is State.FINISHED and not status.request.coordinates_of:
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
