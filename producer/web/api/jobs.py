"""The API's jobs: list, submit, estimate, show, cancel, retry."""

from typing import Annotated

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from shoal.producer.job import Job
from shoal.producer.web.api.estimate import Preview, preview
from shoal.producer.web.api.submission import (
    NewImages,
    OtherClusters,
    Submission,
    assign,
    submit,
)
from shoal.producer.web.rendering import Json
from shoal.producer.web.site import JobDep, SiteDep, StatusDep, enforce
from shoal.shared.jobs import Status

Start = Annotated[int, Query(ge=0, le=2**53, description="How many to skip.")]
Count = Annotated[int, Query(ge=1, le=1000, description="How many to return at most.")]
FailedOnly = Annotated[
    bool, Body(embed=True, description="Whether to try only the failed images again.")
]

router = APIRouter()


@router.get("/jobs", response_model=list[Status])
def list_jobs(site: SiteDep, start: Start = 0, count: Count = 100) -> Response:
    """The jobs that have not expired, newest first."""
    return Json(list(site.client.jobs(start, count)))


@router.post("/jobs", response_model=Status, status_code=201, responses={200: {"model": Status}})
def submit_job(site: SiteDep, submission: Submission) -> Response:
    """Submit a folder. 200 returns an existing job with the same images and options."""
    enforce(site.submit_limit)
    return _show_submitted(submit(site, submission))


def _show_submitted(job: Job) -> Response:
    location = {"Location": f"/api/v1/jobs/{job.id}"}
    return Json(job.status(), 200 if job.is_found else 201, location)


@router.post("/estimate", response_model=Preview)
def estimate_job(site: SiteDep, submission: Submission) -> Response:
    """Estimate what a job would need, without submitting it."""
    enforce(site.estimate_limit)
    return Json(preview(site, submission))


@router.get("/jobs/{job_id}", response_model=Status)
def show_job(status: StatusDep) -> Response:
    """The state and progress of a job."""
    return Json(status)


@router.post(
    "/jobs/{job_id}/assign",
    response_model=Status,
    status_code=201,
    responses={200: {"model": Status}},
)
def assign_images(site: SiteDep, job: JobDep, images: NewImages) -> Response:
    """Assign images to the job's clusters, as a job of its own. 200 returns an existing one."""
    enforce(site.submit_limit)
    return _show_submitted(assign(site, job, images))


@router.post(
    "/jobs/{job_id}/recluster",
    response_model=Status,
    status_code=201,
    responses={200: {"model": Status}},
)
def recluster_images(site: SiteDep, job: JobDep, wanted: OtherClusters) -> Response:
    """Cluster the job's images again, as a job of its own. 200 returns an existing one."""
    enforce(site.submit_limit)
    return _show_submitted(job.recluster(**wanted.model_dump()))


@router.post("/jobs/{job_id}/cancel", response_model=Status)
def cancel_job(job: JobDep) -> Response:
    """Cancel a job; what was loaded is kept for a retry."""
    job.cancel()
    return Json(job.status())


@router.post("/jobs/{job_id}/retry", response_model=Status)
def retry_job(site: SiteDep, job: JobDep, failed_only: FailedOnly = False) -> Response:
    """Continue a failed or cancelled job with what is missing."""
    enforce(site.submit_limit)
    return Json(job.retry(failed_only=failed_only))
