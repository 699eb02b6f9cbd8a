"""Health checks for an orchestrator, and metrics for Prometheus."""

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.web.api.metrics import measure
from shoal.producer.web.problems import Problem
from shoal.producer.web.rendering import Json
from shoal.producer.web.site import SiteDep
from shoal.shared.redis.connection import describe_faults

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def is_up() -> Response:
    """Answer as long as the process runs, without a thread that others might keep busy."""
    return Json({"status": "up"})


@router.get("/readyz")
def is_ready(site: SiteDep) -> Response:
    """Check that Redis answers and keeps its data, and that lost work is looked for."""
    site.client.redis.ping()
    faults = describe_faults(site.client.redis)
    if stalled := site.describe_stalled_sweeper():
        faults.append(stalled)
    if faults:
        return Json(Problem("; ".join(faults)), 503)
    return Json({"status": "ready"})


@router.get("/metrics")
def show_metrics(site: SiteDep) -> Response:
    """Return the metrics that Prometheus collects."""
    content, media_type = measure(site.client)
    return Response(content, media_type=media_type)
