"""What a submission would need: its images, its memory, and its time by earlier jobs."""

import time
from dataclasses import dataclass

from shoal.producer.submission.defaults import describe_lack
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.request import make_request, uses_default_features
from shoal.producer.web.api.submission import Submission, list_images
from shoal.producer.web.site import ListedImages, Site
from shoal.shared.jobs import JobRequest, State, Status

# A folder that was listed for an estimate is not listed again for the next, with other options.
LISTED_SECONDS = 20.0
# Of the jobs before, so many tell the speed; a smaller one tells how long processes take to start.
JOBS_BEFORE = 20
LEAST_IMAGES = 200


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a submission would need.

    Attributes:
        images: Number of images.
        skipped: Number of files of kinds that are not read.
        unreadable: Number of directories that could not be listed, and of broken links.
        left_out: What is left out, in a line for the user; empty if nothing is.
        redis_bytes: Memory needed in Redis.
        fit_bytes: Memory needed by the process that fits.
        message: Both in a line for the user, with what is free.
        seconds: About the time it takes, by the newest job with the same features; None if there is
            none.
        lack: Why the default features are not used here, in a line for the user; empty if they are.
        request: The options as the job would have them.
    """

    images: int
    skipped: int
    unreadable: int
    left_out: str
    redis_bytes: int
    fit_bytes: int
    message: str
    seconds: float | None
    lack: str
    request: JobRequest


def preview(site: Site, submission: Submission) -> Preview:
    """Estimate what a submission would need, without submitting it.

    Raises:
        UsageError: The submission would be refused.
        BusyError: Too many folders are being listed.
    """
    listing = _list_lately(site, submission)
    options = submission.options()
    request = make_request(listing, options)
    plan = site.client.plan(listing, request)
    return Preview(
        images=len(listing.paths),
        skipped=listing.skipped.total(),
        unreadable=len(listing.unreadable),
        left_out=listing.left_out.line,
        redis_bytes=plan.estimate.redis_bytes,
        fit_bytes=plan.estimate.fit_bytes,
        message=plan.message,
        seconds=_estimate_seconds(site, request, len(listing.paths)),
        lack=describe_lack() if uses_default_features(options) else "",
        request=request,
    )


def _list_lately(site: Site, submission: Submission) -> Listing:
    """List the images of a submission, unless the estimate before this has just done so."""
    given = submission.model_dump(include={"source", "exclude", "column"})
    known, now = site.listed, time.monotonic()
    if known and known.given == given and now - known.listed_at < LISTED_SECONDS:
        return known.listing
    listing = list_images(site, submission)
    site.listed = ListedImages(given, listing, time.monotonic())
    return listing


def _estimate_seconds(site: Site, request: JobRequest, n_images: int) -> float | None:
    """Estimate the time of a job by the newest that was alike; None if there is none."""
    rates = (_measure_rate(status, request) for status in site.client.jobs(count=JOBS_BEFORE))
    rate = next(filter(None, rates), None)
    return n_images / rate if rate else None


def _measure_rate(status: Status, request: JobRequest) -> float | None:
    """Measure the images a second of a job; None if it tells nothing about ``request``."""
    done, new = status.request, status.images.loaded - status.images.known
    is_alike = (done.features, done.image_size) == (request.features, request.image_size)
    if not is_alike or done.coordinates_of or status.state is not State.FINISHED:
        return None
    if not status.started_at or not status.finished_at or new < LEAST_IMAGES:
        return None
    return new / max(status.finished_at - status.started_at, 0.1)
