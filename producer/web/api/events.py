"""Server-sent events: the statuses of jobs, as a stream that a browser follows."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from shoal.producer.export.models import export_json
from shoal.producer.web.problems import explain
from shoal.producer.web.site import JobDep, Site, SiteDep, StatusDep
from shoal.shared.errors import StoreUnavailableError, UnknownJobError
from shoal.shared.jobs import Status

JOB_SECONDS = 0.4
# Longer: the status of each job takes a round trip.
JOBS_SECONDS = 1.0
JOBS_PER_PAGE = 50

router = APIRouter()


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse)
async def follow_job(
    site: SiteDep, job: JobDep, _status: StatusDep
) -> AsyncIterator[ServerSentEvent]:
    """Stream the job's status whenever it changes, until the job has ended.

    Events: `status` with a status, `away` while Redis refuses, `gone` if the job has
    expired. Comments in between keep the connection open.
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
    """Yield what ``read`` returns whenever it changes, until a job's last status.

    Args:
        site: The stream ends when the site closes.
        read: Reads one status, or several.
        seconds: Time between two reads.
    """
    last = None
    while not site.closing.is_set():
        # While Redis is silent, streams must not take all threads from other requests.
        async with site.stream_reads:
            event, is_last = await run_in_threadpool(_read_event, read)
        if event != last:
            last = event
            yield event
        if is_last:
            return
        await asyncio.sleep(seconds)


def _read_event(read: Callable[[], Any]) -> tuple[ServerSentEvent, bool]:
    """Return the event to send, and whether it is the last one."""
    try:
        now = read()
    except StoreUnavailableError as error:
        return _make_event("away", {"error": explain(error)}), False
    except UnknownJobError as error:
        return _make_event("gone", {"error": str(error)}), True
    name = "status" if isinstance(now, Status) else "jobs"
    is_last = isinstance(now, Status) and now.state.is_final
    return _make_event(name, now), is_last


def _make_event(name: str, content: Any) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=export_json(content).decode())
