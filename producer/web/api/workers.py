"""The API's workers: on which machines they run, and what each of their processes does."""

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.web.rendering import Json
from shoal.producer.web.site import SiteDep
from shoal.shared.store import WorkerStatus

router = APIRouter()


@router.get("/workers", response_model=list[WorkerStatus])
def list_workers(site: SiteDep) -> Response:
    """The workers that run, and those that were lost within the hour, by name."""
    return Json(site.client.list_workers())
