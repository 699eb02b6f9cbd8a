"""The application: all routes of one site, behind the gate that checks every request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPBearer
from starlette.staticfiles import StaticFiles

from shoal.producer.client import Client
from shoal.producer.components import STATIC
from shoal.producer.web import problems
from shoal.producer.web.access.gate import MOST_BODY_BYTES, PICTURE_BYTES, Gate
from shoal.producer.web.access.sessions import Access
from shoal.producer.web.api import (
    backlog,
    downloads,
    events,
    folders,
    health,
    jobs,
    organizing,
    results,
    search,
)
from shoal.producer.web.api import duplicates as listed_duplicates
from shoal.producer.web.api import workers as api_workers
from shoal.producer.web.pages import (
    clusters,
    documents,
    duplicates,
    failures,
    job,
    login,
    organize,
    similar,
    uploads,
    workers,
)
from shoal.producer.web.pages import jobs as all_jobs
from shoal.producer.web.pages import map as job_map
from shoal.producer.web.site import Site

API = (
    *(jobs, folders, results, listed_duplicates, organizing, search, downloads, events),
    backlog,
)
PAGES = (
    all_jobs,
    job,
    clusters,
    similar,
    uploads,
    duplicates,
    organize,
    failures,
    documents,
    job_map,
    workers,
    login,
)
# Where a body may be larger than elsewhere.
BODY_BYTES = {search: PICTURE_BYTES, uploads: PICTURE_BYTES}


def make_site(client: Client, token: str | None) -> Site:
    """Make the site of a client's Redis, which asks for ``token`` if there is one."""
    site = Site(client, Access(token))
    site.share_ended_sessions()
    return site


def _make_app(site: Site) -> FastAPI:
    """Make the application without its gate."""

    @asynccontextmanager
    async def close_at_the_end(_app: FastAPI) -> AsyncIterator[None]:
        yield
        site.close()
        await run_in_threadpool(site.runs.close)

    app = FastAPI(
        lifespan=close_at_the_end,
        title="Shoal",
        summary="Sorts large image folders into clusters.",
        openapi_url="/api/v1/openapi.json",
        # FastAPI's documentation pages load scripts from other sites.
        docs_url=None,
        redoc_url=None,
        max_body_size=MOST_BODY_BYTES,
        redirect_slashes=False,
    )
    app.state.site, app.state.uploads = site, uploads.Uploads()
    # This only documents how to send the token: the gate has checked it before.
    bearer = Depends(HTTPBearer(auto_error=False, description="If the server has a token."))
    api = APIRouter(prefix="/api/v1", responses=problems.DESCRIPTIONS, dependencies=[bearer])
    for part in (*API, api_workers):
        api.include_router(part.router, max_body_size=BODY_BYTES.get(part))
    app.include_router(api)
    for part in (*PAGES, health):
        app.include_router(part.router, max_body_size=BODY_BYTES.get(part))
    app.mount("/static/components", StaticFiles(directory=STATIC))
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    problems.install(app)
    return app


def make_gated_app(site: Site) -> Gate:
    """Make the application as it is served."""
    return Gate(_make_app(site), site.access)
