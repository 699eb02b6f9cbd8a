"""Documents with inline scripts, each in a sandboxed origin: the report, and the map alone."""

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.report import make_map_page, make_report
from shoal.producer.web.api.downloads import REPORT_POLICY
from shoal.producer.web.site import JobDep

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/report")
def show_report(job: JobDep) -> Response:
    """The report, in a sandboxed origin."""
    return _respond_sandboxed(make_report(job))


@router.get("/jobs/{job_id}/map")
def show_map(job: JobDep) -> Response:
    """Only the map, in a sandboxed origin: the job's page shows it in a frame."""
    return _respond_sandboxed(make_map_page(job))


def _respond_sandboxed(html: bytes) -> Response:
    """Answer with a document that has inline scripts and that our pages may frame."""
    headers = {"Content-Security-Policy": REPORT_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(html, headers=headers, media_type="text/html; charset=utf-8")
