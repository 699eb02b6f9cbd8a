"""Documents with inline scripts, in a sandboxed origin: the report."""

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.report import make_report
from shoal.producer.web.api.downloads import REPORT_POLICY
from shoal.producer.web.site import JobDep

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/report")
def show_report(job: JobDep) -> Response:
    """The report, in a sandboxed origin."""
    headers = {"Content-Security-Policy": REPORT_POLICY}
    return Response(make_report(job), headers=headers, media_type="text/html; charset=utf-8")
