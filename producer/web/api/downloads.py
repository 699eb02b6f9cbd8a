"""The API's downloads: the results of a job as files."""

from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Literal

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from shoal.producer.export.tables import write_in_format, write_rows
from shoal.producer.export.vectors import write_in_format as write_vectors_in_format
from shoal.producer.job import Job
from shoal.producer.report import make_report
from shoal.producer.results import read_vectors
from shoal.producer.web.rendering import OpenApiResponses
from shoal.producer.web.site import JobDep
from shoal.shared.findings import Duplicate, Failure
from shoal.shared.store import Kind

FileName = Literal[
    "labels.csv",
    "labels.json",
    "labels.parquet",
    "failures.csv",
    "duplicates.csv",
    "features.npy",
    "features.parquet",
    "coordinates.npy",
    "coordinates.parquet",
    "model.npz",
    "report.html",
]
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "npy": "application/octet-stream",
    "npz": "application/zip",
    "html": "text/html; charset=utf-8",
}
CHUNK_BYTES = 2**16
# The report has inline scripts and pictures: it is shown in a sandboxed origin, where it can load
# nothing and reach nothing of ours.
REPORT_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline'; style-src"
    " 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
ANY: OpenApiResponses = {
    200: {"content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()}}
}

router = APIRouter()


@router.get("/jobs/{job_id}/downloads/{name}", response_class=Response, responses=ANY)
def download(job: JobDep, name: FileName) -> Response:
    """A result of a finished job, as a file."""
    # Written before it is sent: an error then gives an error response, not a truncated file.
    file = TemporaryFile()  # noqa: SIM115  closed once it has been sent
    try:
        _write_result(job, name, file)
        size = file.tell()
    except BaseException:
        file.close()
        raise
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="shoal-{job.id}-{name}"',
    }
    kind = MEDIA_TYPES[name.partition(".")[2]]
    return StreamingResponse(_read_chunks(file), headers=headers, media_type=kind)


def _write_result(job: Job, name: FileName, file: IO[bytes]) -> None:
    """Write one of a job's files.

    Raises:
        ShoalError: The job has no such result, or a package is missing.
    """
    stem, _, file_format = name.partition(".")
    if stem == "labels":
        write_in_format(job.labels(), file_format, file)
    elif stem == "failures":
        write_rows(job.failures(), Failure, file)
    elif stem == "duplicates":
        write_rows(job.duplicates(), Duplicate, file)
    elif stem in {Kind.FEATURES, Kind.COORDINATES}:
        as_parquet = file_format == "parquet"
        vectors = read_vectors(job, Kind(stem))
        write_vectors_in_format(job, vectors, "parquet" if as_parquet else "npy", file)
    elif stem == "model":
        file.write(job.model())
    else:
        file.write(make_report(job))
    file.seek(0, 2)


def _read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file's content from its start, and close the file."""
    with file:
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
