"""The page of failures: the images that could not be used, with the reasons."""

from itertools import islice

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.report.failures import REMEDIES
from shoal.producer.web.pages.gallery import Number, Slice
from shoal.producer.web.pages.layout import shared_values
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import JobDep, SiteDep, StatusDep

FAILURES_PER_PAGE = 100

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/failures")
def show_failures(site: SiteDep, job: JobDep, status: StatusDep, number: Number = 1) -> Response:
    """The images that could not be used, with the reasons."""
    part = Slice(number, FAILURES_PER_PAGE, status.images.failed)
    failures = list(islice(job.failures(), part.start, part.start + part.size))
    reasons = sorted({failure.reason for failure in failures})
    return Page(
        "failures.html",
        status=status,
        failures=failures,
        remedies={reason.value: REMEDIES[reason] for reason in reasons},
        part=part,
        **shared_values(site),
    )
