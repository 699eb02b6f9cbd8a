"""Events: where jobs stand, as a stream that a browser follows (server-sent events)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from shoal.producer.web.problems import NO_ANSWER
from shoal.producer.web.site import JobDep, Site, SiteDep, StatusDep
from shoal.shared.connection import LOST
from shoal.shared.errors import UnknownJobError
from shoal.shared.jobs import Status
from shoal.shared.wire import encode

JOB_SECONDS = 0.4
# Each of the jobs takes a round trip.
JOBS_SECONDS = 1.0
JOBS_PER_PAGE = 50

router = APIRouter()


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse)
async def follow_job(
    site: SiteDep, job: JobDep, _status: StatusDep
) -> AsyncIterator[ServerSentEvent]:
    """Stream the job's status whenever it changes, until its end.

    Events: `status` with a status, `away` while Redis does not answer, `gone` if the job has
    expired. Comments in between keep the connection.
    """
    async for event in _follow(site, job.status, JOB_SECONDS):
        yield event


@router.get("/events", response_class=EventSourceResponse)
async def follow_jobs(site: SiteDep) -> AsyncIterator[ServerSentEvent]:
    """Stream the statuses of the newest 50 jobs whenever one changes: events `jobs`, `away`."""

    def read() -> list[Status]:
        return list(site.client.jobs(count=JOBS_PER_PAGE))

    async for event in _follow(site, read, JOBS_SECONDS):
        yield event


async def _follow(
    site: Site, read: Callable[[], Any], seconds: float
) -> AsyncIterator[ServerSentEvent]:
    """Yield what ``read`` returns whenever it changes; a job's status until the last.

    Args:
        site: Ends the stream when it closes.
        read: Returns a status, or several.
        seconds: Between two looks.
    """
    last = None
    while not site.closing.is_set():
        event, is_last = await run_in_threadpool(_read_event, read)
        if event != last:
            last = event
            yield event
        if is_last:
            return
        await asyncio.sleep(seconds)


def _read_event(read: Callable[[], Any]) -> tuple[ServerSentEvent, bool]:
    """Return what there is to tell, and whether nothing will follow."""
    try:
        now = read()
    except LOST:
        return ServerSentEvent(event="away", raw_data=encode({"error": NO_ANSWER}).decode()), False
    except UnknownJobError as error:
        return ServerSentEvent(event="gone", raw_data=encode({"error": str(error)}).decode()), True
    name = "status" if isinstance(now, Status) else "jobs"
    is_last = isinstance(now, Status) and now.state.is_final
    return ServerSentEvent(event=name, raw_data=encode(now).decode()), is_last
