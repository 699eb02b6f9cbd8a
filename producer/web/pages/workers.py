"""The page of workers: on which machines they run, and what each of their processes does."""

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.web.pages.layout import shared_values
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import SiteDep
from shoal.shared.store import WorkerState

router = APIRouter(include_in_schema=False)


@router.get("/workers")
def show_workers(site: SiteDep) -> Response:
    """The workers, each with its processes; those that run first."""
    order = list(WorkerState)
    found = sorted(site.client.list_workers(), key=lambda worker: order.index(worker.state))
    versions = {worker.version for worker in found if worker.state is not WorkerState.LOST}
    return Page(
        "workers.html",
        workers=found,
        n_running=sum(worker.state is WorkerState.RUNNING for worker in found),
        versions=sorted(versions),
        **shared_values(site),
    )
