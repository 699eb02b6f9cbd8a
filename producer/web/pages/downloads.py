"""The files of a finished job that can be downloaded now, and what each of them is for."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from shoal.producer.job import Job
from shoal.producer.web.api.downloads import FileName
from shoal.shared.findings import Summary
from shoal.shared.jobs import Status
from shoal.shared.store import measure_results

# A component, as it is stored.
COMPONENT_BYTES = 4


@dataclass(frozen=True)
class Download:
    """A file of a job.

    Attributes:
        name: Its name.
        purpose: What it is for.
        n_bytes: About its size; 0 if that is not known before it is made.
        expires_at: When it is deleted, if that is before the job's other results.
    """

    name: FileName
    purpose: str
    n_bytes: int = 0
    expires_at: float | None = None


def list_downloads(job: Job, status: Status, summary: Summary) -> Iterator[Download]:
    """Yield the files that this server can make of a job now."""
    yield Download("report.html", "All of this in one file that opens anywhere")
    yield Download("labels.csv", "Each image with its cluster, for a spreadsheet")
    yield Download("labels.json", "The same, for a program")
    has_parquet = find_spec("pyarrow") is not None
    if has_parquet:
        yield Download("labels.parquet", "The same, for pandas, Polars or DuckDB")
    if status.images.failed:
        yield Download("failures.csv", "The images that could not be used, with the reasons")
    if summary.duplicates and summary.duplicates.images:
        yield Download("duplicates.csv", "Copies and images that look alike, by group")
    yield from _list_vectors(job, status, summary, has_parquet)


def _list_vectors(
    job: Job, status: Status, summary: Summary, has_parquet: bool
) -> Iterator[Download]:
    sizes, loaded = measure_results(job.results), status.images.loaded
    if sizes.model_bytes:
        purpose = "Finds the cluster of any other file: shoal.Model.load in Python"
        yield Download("model.npz", purpose, sizes.model_bytes)
    if sizes.has_coordinates:
        n_bytes = loaded * summary.n_components * COMPONENT_BYTES
        purpose = f"The {summary.n_components} principal components of each image, for NumPy"
        yield Download("coordinates.npy", purpose, n_bytes)
        if has_parquet:
            yield Download("coordinates.parquet", "The same, with paths and clusters")
    if sizes.features_row_bytes and not status.request.coordinates_of:
        expires_at = time.time() + sizes.features_seconds if sizes.features_seconds else None
        purpose = "What the images were compared by, for NumPy"
        n_bytes = loaded * sizes.features_row_bytes
        yield Download("features.npy", purpose, n_bytes, expires_at)
        if has_parquet:
            yield Download("features.parquet", "The same, with paths and clusters", 0, expires_at)
