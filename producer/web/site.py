"""The site: the state that all routes share, and their dependencies."""

import time
from asyncio import Semaphore
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore, Event
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi import Path as InPath

from shoal.producer.client import Client
from shoal.producer.job import Job
from shoal.producer.organizing import BackgroundRuns
from shoal.producer.report.map import Map
from shoal.producer.results.catalogue import Catalogue
from shoal.producer.results.recent import Recent
from shoal.producer.submission.listing import Listing
from shoal.producer.web.access.rates import RateLimit
from shoal.producer.web.access.sessions import Access, parse_expiry
from shoal.producer.web.problems import GUESSES, BusyError
from shoal.producer.web.thumbnails import (
    PREVIEW_PIXELS,
    ImageVersion,
    Thumbnails,
    find_located_version,
    find_version,
)
from shoal.shared.images.values import AGREED_NAME, ValueRanges
from shoal.shared.jobs import Status
from shoal.shared.store import EndedSessions
from shoal.shared.store.images import JobImages

# A catalogue of a million images takes some 50 MB.
CATALOGUES_KEPT = 4
# A map of 50,000 points takes 3 MB, and the names of its images as much.
MAPS_KEPT = 8
# After this time, what others do may be done.
BUSY_SECONDS = 2.0
# Most folders that are listed, or whose duplicates are read, at the same time: each takes seconds.
LISTINGS = 2
# Most folders that people look into at the same time: each takes up to two seconds.
BROWSINGS = 4
# One round of looking for lost work may start workers and send a thousand messages.
STALLED_SECONDS = 120.0
# Most new images that workers are asked about at the same time: each takes a thread.
QUESTIONS = 4
# Most searches at the same time: each reads the coordinates of all images.
SEARCHES = 4
# Most event streams that read at the same time.
STREAM_READS = 8


@dataclass(frozen=True)
class ListedImages:
    """The images of a source, as they were listed for an estimate.

    Attributes:
        given: What says which images they are.
        listing: The images.
        listed_at: The end of the listing, by the monotonic clock.
    """

    given: dict[str, Any]
    listing: Listing
    listed_at: float


@dataclass
class Site:
    """One Redis as the web server sees it, and what is kept between requests.

    Attributes:
        client: The client of this Redis.
        access: Decides whose requests are answered.
        thumbnails: Thumbnails of the images of all jobs.
        previews: Larger pictures of them.
        submit_limit: How often jobs may be submitted or retried.
        estimate_limit: How often estimates may be asked for.
        listings: Held while a folder is listed.
        browsings: Held while a person looks into a folder.
        readings: Held while the files of duplicates are read.
        questions: Held while a worker is asked about a new image.
        searches: Held while all images of a job are compared.
        stream_reads: Held while an event stream reads.
        runs: What brings files to other places.
        closing: Set when the server stops, so that event streams end.
        listed: The folder that the last estimate was about; None before the first.
        swept_at: When the last round of looking for lost work ended, by the monotonic clock; None
            where this process does not look.
        catalogues: The catalogues used last, by job id and time of its end.
        job_images: What reads the images of the jobs used last, by job id.
        maps: The maps used last, by these and the names of clusters.
        map_names: The paths of the points of maps, as JSON.
    """

    client: Client
    access: Access
    thumbnails: Thumbnails = field(init=False)
    previews: Thumbnails = field(init=False)
    submit_limit: RateLimit = field(default_factory=lambda: RateLimit(burst=20, seconds=2))
    estimate_limit: RateLimit = field(default_factory=lambda: RateLimit(burst=20, seconds=1))
    listings: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(LISTINGS))
    browsings: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(BROWSINGS))
    readings: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(LISTINGS))
    questions: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(QUESTIONS))
    searches: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(SEARCHES))
    stream_reads: Semaphore = field(default_factory=lambda: Semaphore(STREAM_READS))
    runs: BackgroundRuns = field(default_factory=BackgroundRuns)
    closing: Event = field(default_factory=Event)
    listed: ListedImages | None = None
    swept_at: float | None = None
    catalogues: Recent[Catalogue] = field(default_factory=lambda: Recent(CATALOGUES_KEPT))
    job_images: Recent[JobImages] = field(default_factory=lambda: Recent(CATALOGUES_KEPT))
    maps: Recent[Map] = field(default_factory=lambda: Recent(MAPS_KEPT))
    map_names: Recent[bytes] = field(default_factory=lambda: Recent(MAPS_KEPT))

    def __post_init__(self) -> None:
        self.thumbnails = Thumbnails(self.client.settings)
        self.previews = Thumbnails(self.client.settings, side_pixels=PREVIEW_PIXELS)

    def close(self) -> None:
        """End the processes that decode."""
        self.thumbnails.close()
        self.previews.close()

    def describe_stalled_sweeper(self) -> str | None:
        """Say that nothing looks for lost work any more; None where something does."""
        if self.swept_at is None:
            return None
        silent = time.monotonic() - self.swept_at
        if silent < max(STALLED_SECONDS, 10 * self.client.settings.sweep_seconds):
            return None
        return f"Nothing has looked for lost work for {silent:.0f} s: restart `shoal serve`"

    def catalogue(self, job: Job) -> Catalogue:
        """Return the catalogue of a finished job, from memory if it was used lately.

        Raises:
            NotFinishedError: The job has not finished yet.
        """
        # A job that was retried ends at another time, with other labels.
        return self.catalogues.find((job.id, job.status().finished_at), job.catalogue)

    def images(self, job: Job, source: str) -> JobImages:
        """Return what reads the images of a job, from memory if it was used lately."""
        settings = self.client.settings
        return self.job_images.find((job.id,), lambda: JobImages(job.results, source, settings))

    def share_ended_sessions(self) -> None:
        """Exchange ended sessions with the other web servers of this Redis."""
        if self.access.token is None:
            return
        now, store = time.time(), EndedSessions(self.client.redis)
        known = store.find(now)
        for session in self.access.ended - known:
            if (expiry := parse_expiry(session)) > now:
                store.add(session, expiry)
        self.access.ended.update(known)


# Dependencies that do not ask Redis are async: each of the others takes a thread.
async def _find_site(request: Request) -> Site:
    """Return the site of a request's application."""
    site: Site = request.app.state.site
    return site


SiteDep = Annotated[Site, Depends(_find_site)]


async def _find_job(job_id: str, site: SiteDep) -> Job:
    """Return the job in a request's path.

    Raises:
        UnknownJobError: No job can have this id.
    """
    return site.client.job(job_id)


JobDep = Annotated[Job, Depends(_find_job)]


def _read_status(job: JobDep) -> Status:
    """Return the status of the job in a request's path.

    Raises:
        UnknownJobError: There is no such job.
    """
    return job.status()


StatusDep = Annotated[Status, Depends(_read_status)]
Number = Annotated[int, InPath(ge=0, le=2**53)]


def _find_image(site: SiteDep, job: JobDep, status: StatusDep, number: Number) -> ImageVersion:
    """Return the image whose number is in a request's path.

    Raises:
        NotFinishedError: The job has not finished yet.
        UsageError: The job has loaded no such image.
        UnreadableImageError: Its file does not exist any more.
    """
    path, source = site.catalogue(job).path(number), status.request.source
    ranges = ValueRanges.from_text(job.ledger.agreed(AGREED_NAME))
    images = site.images(job, source)
    if images.are_files:
        return find_version(Path(source) / path, ranges)
    return find_located_version(images, source, path, ranges)


ImageDep = Annotated[ImageVersion, Depends(_find_image)]


def enforce(limit: RateLimit) -> None:
    """Count one request against a limit.

    Raises:
        BusyError: There were too many.
    """
    if wait := limit.take():
        raise BusyError(wait)


@contextmanager
def only_some(semaphore: BoundedSemaphore, busy: str) -> Iterator[None]:
    """Hold a semaphore meanwhile; ``busy`` says what others do who hold it.

    Raises:
        BusyError: As many as may do this are at it.
    """
    if not semaphore.acquire(blocking=False):
        raise BusyError(BUSY_SECONDS, busy)
    try:
        yield
    finally:
        semaphore.release()


def count_guess(site: Site) -> None:
    """Count a wrong token.

    Raises:
        BusyError: There were too many.
    """
    if wait := site.access.guesses.take():
        raise BusyError(wait, GUESSES)
