"""The page of all jobs, with the form for a new one."""

from dataclasses import replace

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.submission.defaults import choose_features
from shoal.producer.web.api.events import JOBS_PER_PAGE
from shoal.producer.web.pages.gallery import Number, Slice
from shoal.producer.web.pages.layout import lacks_workers, shared_values
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import SiteDep
from shoal.shared.jobs import DEFAULTS, Algorithm, Level, Recipe
from shoal.shared.recipe.features import list_features

router = APIRouter(include_in_schema=False)


@router.get("/")
def show_jobs(site: SiteDep, number: Number = 1) -> Response:
    """All jobs, newest first, and the form for a new one."""
    part = Slice(number, JOBS_PER_PAGE, len(site.client.registry.jobs()))
    statuses = list(site.client.jobs(part.start, part.size))
    return Page(
        "jobs.html",
        statuses=statuses,
        part=part,
        features=list_features(),
        defaults=replace(DEFAULTS, features=choose_features()),
        recipes=list(Recipe),
        algorithms=list(Algorithm),
        levels=list(Level),
        is_idle=any(lacks_workers(site, status) for status in statuses),
        **shared_values(site),
    )
