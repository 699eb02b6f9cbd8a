"""Server-sent events: the statuses of jobs, as a stream that a browser follows."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from operator import attrgetter
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from shoal.producer.export.models import export_json
from shoal.producer.web.site import JobDep, Site, SiteDep, StatusDep
from shoal.shared.errors import ConnectionLostError, StoreUnavailableError, UnknownJobError
from shoal.shared.jobs import Status

JOB_SECONDS = 0.4
# Longer: the status of each job takes a round trip.
JOBS_SECONDS = 1.0
JOBS_PER_PAGE = 50
# A page takes a stream that says nothing for much longer for that of a frozen server.
AGAIN_SECONDS = 5.0
SILENT = "Redis does not answer."

router = APIRouter()


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse)
async def follow_job(
    site: SiteDep, job: JobDep, _status: StatusDep
) -> AsyncIterator[ServerSentEvent]:
    """Stream the job's status whenever it changes, until the job has ended.

    Events: `status` with a status, `workers` with whether any are `running` that take it, `away`
    while Redis refuses, `gone` if the job has expired. What has not changed is sent again every
    five seconds.
    """
    async for event in _follow(site, job.status, JOB_SECONDS):
        yield event


@router.get("/events", response_class=EventSourceResponse)
async def follow_jobs(site: SiteDep) -> AsyncIterator[ServerSentEvent]:
    """Stream the statuses of the newest 50 jobs: events `jobs`, `workers` and `away`, as above."""

    def read() -> list[Status]:
        return list(site.client.jobs(count=JOBS_PER_PAGE))

    async for event in _follow(site, read, JOBS_SECONDS):
        yield event


async def _follow(
    site: Site, read: Callable[[], Any], seconds: float
) -> AsyncIterator[ServerSentEvent]:
    """Yield what ``read`` returns whenever it changes, until a job's last status.

    What has not changed is sent again every few seconds: a page cannot know otherwise that this
    server is frozen.

    Args:
        site: The stream ends when the site closes.
        read: Reads one status, or several.
        seconds: Time between two reads.
    """
    sent: dict[int, ServerSentEvent] = {}
    sent_at = 0.0
    while not site.closing.is_set():
        # While Redis is silent, streams must not take all threads from other requests.
        async with site.stream_reads:
            events, is_last = await run_in_threadpool(_read_events, site, read)
        is_due = time.monotonic() - sent_at >= AGAIN_SECONDS
        for place, event in enumerate(events):
            if is_due or sent.get(place) != event:
                sent[place], sent_at = event, time.monotonic()
                yield event
        if is_last:
            return
        await asyncio.sleep(seconds)


def _read_events(site: Site, read: Callable[[], Any]) -> tuple[list[ServerSentEvent], bool]:
    """Return the events to send, and whether they are the last ones."""
    try:
        now = read()
        statuses = [now] if isinstance(now, Status) else now
        signs = [site.client.workers.look(s) for s in statuses if not s.state.is_final]
        # That of a job which no worker takes, if there is one.
        workers = [_make_event("workers", min(signs, key=attrgetter("running")))] if signs else []
    except StoreUnavailableError as error:
        return [_make_event("away", {"error": _name_silent(error)})], False
    except UnknownJobError as error:
        return [_make_event("gone", {"error": str(error)})], True
    is_single = isinstance(now, Status)
    events = [_make_event("status" if is_single else "jobs", now), *workers]
    return events, is_single and not signs


def _name_silent(error: StoreUnavailableError) -> str:
    """Say who does not answer, for a page that goes on asking by itself."""
    return SILENT if isinstance(error, ConnectionLostError) else str(error)


def _make_event(name: str, content: Any) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=export_json(content).decode())
