"""The page of all jobs, with the form for a new one."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shoal.producer.web.api.events import JOBS_PER_PAGE
from shoal.producer.web.pages.form import RECENT_JOBS, describe_form, repeat
from shoal.producer.web.pages.gallery import Number, Slice
from shoal.producer.web.pages.layout import find_lack, shared_values
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import SiteDep
from shoal.shared.jobs import DEFAULTS

Again = Annotated[str | None, Query(max_length=64)]

router = APIRouter(include_in_schema=False)


@router.get("/")
def show_jobs(site: SiteDep, number: Number = 1, again: Again = None) -> Response:
    """All jobs, newest first, and the form for a new one."""
    part = Slice(number, JOBS_PER_PAGE, len(site.client.registry.jobs()))
    statuses = list(site.client.jobs(part.start, part.size))
    newest = statuses if number == 1 else site.client.jobs(count=RECENT_JOBS)
    return Page(
        "jobs.html",
        statuses=statuses,
        part=part,
        form=describe_form(newest, repeat(site.client.job(again)) if again else None),
        defaults=DEFAULTS,
        lack=find_lack(site, statuses),
        **shared_values(site),
    )
