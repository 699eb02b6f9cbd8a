"""The contents of a report, read from the store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shoal.producer.report.points import Points, read_copies, read_points
from shoal.producer.results import JobResults
from shoal.shared.findings import Duplicate, Failure, Summary
from shoal.shared.jobs import Status


@dataclass(frozen=True)
class Contents:
    """What a report shows of a finished job.

    Attributes:
        status: The job's status.
        summary: The job's summary.
        points: The images on the map.
        failures: The images that could not be used; can be iterated over once.
        pictures: JPEG of each representative and outlier, by path.
        sheets: JPEG of the thumbnails of each batch; empty where there are none.
        duplicates: Images that are there twice, sorted by group; can be iterated over once.
    """

    status: Status
    summary: Summary
    points: Points
    failures: Iterable[Failure]
    pictures: Mapping[str, bytes]
    sheets: Sequence[bytes]
    duplicates: Iterable[Duplicate] = ()


def read_contents(job: JobResults) -> Contents:
    """Read the contents of a finished job's report.

    Raises:
        NotFinishedError: The job has no result yet, or its result has expired.
        JobFailedError: The job failed.
        JobCancelledError: The job was cancelled.
    """
    summary, status, results = job.summary(), job.status(), job.results
    return Contents(
        status=status,
        summary=summary,
        points=read_points(results, status.images.total, read_copies(results)),
        failures=job.failures(),
        pictures=results.pictures(),
        sheets=list(results.thumbnails()),
        duplicates=job.duplicates() if summary.duplicates else (),
    )
