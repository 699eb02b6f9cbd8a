"""Submissions: a folder and its options, looked at before it becomes a job."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from shoal.producer.job import Job
from shoal.producer.submission.folder import Folder, read_folder, resolve_source
from shoal.producer.submission.request import make_request
from shoal.producer.web.problems import BusyError
from shoal.producer.web.site import Site
from shoal.shared.errors import SourceError
from shoal.shared.jobs import JobRequest

DEFAULTS = JobRequest(source="")


class Submission(BaseModel, extra="forbid", strict=True):
    """What to cluster, and how; the options are those of `shoal submit`.

    Attributes:
        source: Absolute path of the folder, as the server and the workers see it.
        force: Whether to make a new job though there is one of these images and options.
        features: Name of the extractor, or several: `hog+color`.
        image_size: Width and height in pixels; null is what suits the features.
        components: Principal components; null is 50, or as many as the images allow.
        clusters: Number of clusters, or `auto` to choose it; null is 5, or what HDBSCAN finds.
        algorithm: What finds the clusters.
        random_state: Seed.
        batch_size: Images a task; null chooses by their number.
    """

    source: str = Field(min_length=1, max_length=4096)
    force: bool = False
    features: str = Field(DEFAULTS.features, max_length=200)
    image_size: int | None = None
    components: int | None = None
    clusters: int | Literal["auto"] | None = None
    algorithm: Literal["kmeans", "minibatch", "hdbscan"] = "kmeans"
    random_state: int = DEFAULTS.random_state
    batch_size: int | None = None

    def options(self) -> dict[str, Any]:
        """Return the options as the client takes them."""
        return self.model_dump(exclude={"source", "force"})


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a submission would come to.

    Attributes:
        images: How many there are.
        skipped: Files that are no images.
        unreadable: Directories that could not be listed, and links that lead nowhere.
        redis_bytes: Memory needed in Redis.
        fit_bytes: Memory needed by the process that fits.
        message: Both in words, and what is free.
        request: The options as the job would have them.
    """

    images: int
    skipped: int
    unreadable: int
    redis_bytes: int
    fit_bytes: int
    message: str
    request: JobRequest


def preview(site: Site, submission: Submission) -> Preview:
    """Return what a submission would come to; nothing is made.

    Raises:
        UsageError: It would be refused.
        BusyError: Too many folders are looked at.
    """
    folder = _list_folder(site, submission.source)
    request = make_request(folder, submission.options())
    plan = site.client.plan(folder, request)
    return Preview(
        images=len(folder.paths),
        skipped=folder.skipped.total(),
        unreadable=len(folder.unreadable),
        redis_bytes=plan.estimate.redis_bytes,
        fit_bytes=plan.estimate.fit_bytes,
        message=plan.message,
        request=request,
    )


def submit(site: Site, submission: Submission) -> Job:
    """Return the job of a submission, which somebody works on.

    Raises:
        UsageError: It is refused.
        BusyError: Too many folders are looked at.
    """
    folder = _list_folder(site, submission.source)
    with site.workers_lock:
        options = submission.options()
        job = site.client.submit_folder(folder, force=submission.force, **options)
        site.client.workers.ensure_running()
    return job


def _list_folder(site: Site, source: str) -> Folder:
    """Return the images of a folder that a job may be made of.

    Raises:
        SourceError: There is none, or it is not under a directory of SHOAL_IMAGE_ROOTS.
        BusyError: Too many folders are looked at.
    """
    _check_source(source, site.client.settings.image_roots)
    if not site.listings.acquire(blocking=False):
        raise BusyError(1)
    try:
        return read_folder(Path(source))
    finally:
        site.listings.release()


def _check_source(source: str, roots: tuple[Path, ...]) -> None:
    """Check where a folder is before anything tells whether it exists.

    Raises:
        SourceError: It is relative, no path at all, or outside ``roots``.
    """
    if "\0" in source or not source.startswith(("/", "~/")):
        raise SourceError("Give the whole path of the folder, from its first / on.")
    folder = resolve_source(Path(source))
    if roots and not any(folder.is_relative_to(root) for root in roots):
        allowed = os.pathsep.join(map(str, roots))
        raise SourceError(f"Not under a directory of SHOAL_IMAGE_ROOTS: {allowed}.")
