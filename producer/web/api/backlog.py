"""The API's backlog: how much work there is, for whatever starts and stops workers."""

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.web.rendering import Json
from shoal.producer.web.site import SiteDep
from shoal.shared.store import Backlog

router = APIRouter()


@router.get("/backlog", response_model=Backlog)
def show_backlog(site: SiteDep) -> Response:
    """What waits and what runs, in one round trip; ``work`` is all of it, 0 if there is none."""
    return Json(site.client.registry.backlog())
