"""The API's duplicates: which there are, and which one of each group to keep."""

import os
from io import BytesIO
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shoal.producer.duplicates.decisions import DecidedDuplicate, KeepRule
from shoal.producer.export.tables import write_rows
from shoal.producer.web.api.jobs import Count, Start
from shoal.producer.web.rendering import Json, OpenApiResponses
from shoal.producer.web.site import JobDep, SiteDep, only_some
from shoal.shared.errors import UsageError
from shoal.shared.findings import Duplicate

READING = "The files of other duplicates are being read"
Keep = Annotated[KeepRule, Query(description="Which one of each group is kept.")]
Exact = Annotated[bool, Query(description="Whether only files of the same bytes count.")]
CSV: OpenApiResponses = {200: {"content": {"text/csv": {}}}}
TEXT: OpenApiResponses = {200: {"content": {"text/plain": {}}}}

router = APIRouter(prefix="/jobs/{job_id}/duplicates")


@router.get("", response_model=list[DecidedDuplicate] | list[Duplicate])
def list_duplicates(
    site: SiteDep,
    job: JobDep,
    keep: KeepRule | None = None,
    exact: Exact = False,
    start: Start = 0,
    count: Count = 100,
) -> Response:
    """Images that are copies or look alike; with `keep`, their sizes and which one to keep."""
    if keep is None:
        return Json(list(islice(job.duplicates(), start, start + count)))
    # Each reads whole groups of files, and starts a decoder.
    with only_some(site.readings, READING):
        return Json(list(job.decide_duplicates(keep, exact=exact, start=start, count=count)))


@router.get("/decided.csv", response_class=Response, responses=CSV)
def download_decided(
    site: SiteDep, job: JobDep, keep: Keep = KeepRule.LARGEST, exact: Exact = False
) -> Response:
    """All duplicates with their sizes, and which one of each group to keep, as CSV."""
    file = BytesIO()
    with only_some(site.readings, READING):
        write_rows(job.decide_duplicates(keep, exact=exact), DecidedDuplicate, file)
    return _attach(file.getvalue(), "text/csv", f"shoal-{job.id}-decided.csv")


@router.get("/extra.txt", response_class=Response, responses=TEXT)
def download_extra(
    site: SiteDep, job: JobDep, keep: Keep = KeepRule.LARGEST, exact: Exact = False
) -> Response:
    """The files that are not kept, a path a line."""
    with only_some(site.readings, READING):
        names = [os.fsencode(path) for path in job.extra_duplicates(keep, exact=exact)]
    if odd := [name for name in names if b"\n" in name]:
        raise UsageError(f"A name has a line break, {odd[0]!r}: take the CSV file instead.")
    content = b"".join(name + b"\n" for name in names)
    return _attach(content, "text/plain", f"shoal-{job.id}-extra.txt")


def _attach(content: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, headers=headers, media_type=f"{media_type}; charset=utf-8")
