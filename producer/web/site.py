"""The site: what all routes work with."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Event, Lock
from typing import Annotated

from fastapi import Depends, Request

from shoal.producer.catalogue import Catalogue
from shoal.producer.client import Client
from shoal.producer.job import Job
from shoal.producer.web.access.rates import RateLimit
from shoal.producer.web.access.sessions import Access, parse_expiry
from shoal.producer.web.problems import BusyError
from shoal.producer.web.thumbnails import Thumbnails
from shoal.shared.jobs import Status
from shoal.shared.store import EndedSessions

# A catalogue of a million images takes some 50 MB.
CATALOGUES_KEPT = 4
# Folders listed at once; a large one takes seconds.
LISTINGS = 2


@dataclass
class Site:
    """One Redis, and what is kept of it between two requests.

    Attributes:
        client: Of the Redis.
        access: Who may ask.
        thumbnails: Of the images of all jobs.
        submit_limit: How often jobs may be made or changed.
        estimate_limit: How often a folder may be looked at.
        login_limit: How often a wrong token may be tried, by address.
        listings: Held by who lists a folder.
        workers_lock: Held by who sends work: two who start workers would start them twice.
        closing: Set when the server ends, so that streams end too.
    """

    client: Client
    access: Access
    thumbnails: Thumbnails
    submit_limit: RateLimit = field(default_factory=lambda: RateLimit(burst=20, seconds=2))
    estimate_limit: RateLimit = field(default_factory=lambda: RateLimit(burst=20, seconds=1))
    login_limit: RateLimit = field(default_factory=lambda: RateLimit(burst=5, seconds=10))
    listings: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(LISTINGS))
    workers_lock: Lock = field(default_factory=Lock)
    closing: Event = field(default_factory=Event)
    catalogues: OrderedDict[tuple[str, float | None], Catalogue] = field(
        default_factory=OrderedDict
    )
    catalogues_lock: Lock = field(default_factory=Lock)

    def catalogue(self, job: Job) -> Catalogue:
        """Return the images of a finished job.

        Raises:
            NotFinishedError: It has not finished yet.
        """
        # A job that was retried ends at another time, with other labels.
        key = (job.id, job.status().finished_at)
        with self.catalogues_lock:
            if key in self.catalogues:
                self.catalogues.move_to_end(key)
                return self.catalogues[key]
        made = job.catalogue()
        with self.catalogues_lock:
            self.catalogues[key] = made
            if len(self.catalogues) > CATALOGUES_KEPT:
                self.catalogues.popitem(last=False)
        return made

    def share_ended_sessions(self) -> None:
        """Tell all pages of this Redis which sessions ended here, and learn which ended there."""
        if self.access.token is None:
            return
        now, store = time.time(), EndedSessions(self.client.redis)
        known = store.find(now)
        for session in self.access.ended - known:
            if (expiry := parse_expiry(session)) > now:
                store.add(session, expiry)
        self.access.ended.update(known)


# Those that ask nothing of Redis are async: each other one takes a turn of a thread.
async def _find_site(request: Request) -> Site:
    """Return the site that a request is made to."""
    site: Site = request.app.state.site
    return site


SiteDep = Annotated[Site, Depends(_find_site)]


async def _find_job(job_id: str, site: SiteDep) -> Job:
    """Return the job that a path names.

    Raises:
        UnknownJobError: No job can have this id.
    """
    return site.client.job(job_id)


JobDep = Annotated[Job, Depends(_find_job)]


def _read_status(job: JobDep) -> Status:
    """Return where the job that a path names stands.

    Raises:
        UnknownJobError: There is no such job.
    """
    return job.status()


StatusDep = Annotated[Status, Depends(_read_status)]


def enforce(rate: RateLimit, caller: str = "") -> None:
    """Count what is asked for.

    Raises:
        BusyError: It was too often.
    """
    if wait := rate.take(caller):
        raise BusyError(wait)
