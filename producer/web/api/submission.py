"""Submissions through the API: a folder and its options, new images, other clusters."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from shoal.producer.job import Job
from shoal.producer.submission.folder import read_folder, resolve_source
from shoal.producer.submission.listing import Listing
from shoal.producer.web.site import Site, only_some
from shoal.shared.errors import SourceError
from shoal.shared.jobs import Algorithm, Level, Recipe


class Submission(BaseModel, extra="forbid", strict=True):
    """What to cluster, and how; the options are those of `shoal submit`.

    Attributes:
        source: Absolute path of the folder, as the server and the workers see it.
        force: Whether to run again even if this folder was already clustered with these options.
        recipe: Options that belong together, by name; what is given beside it counts more.
        features: Name of the features, or several: `hog+color`; null is `embedding`, or `pixels`
            where the server lacks onnxruntime.
        image_size: Width and height in pixels; null is what suits the features.
        components: Number of principal components; null is 50, or as many as the images allow.
        clusters: Number of clusters, or `auto` to choose it; null is `auto`.
        level: `coarser` or `finer`: of an automatic number, that one if it is nearly as good.
        algorithm: Clustering algorithm; null is `kmeans`.
        random_state: Seed; null is 0.
        batch_size: Images per task; null depends on their number and size.
        renumber: Whether to number clusters by size, not as in the last job of this folder.
        keep_model: Whether to use the model of the last job of this folder instead of a fit.
        cache: Whether to use what earlier jobs have loaded.
    """

    source: str = Field(min_length=1, max_length=4096)
    force: bool = False
    recipe: Recipe | None = Field(None, strict=False)  # FastAPI has it as text
    features: str | None = Field(None, max_length=200)
    image_size: int | None = None
    components: int | None = None
    clusters: int | Literal["auto"] | None = None
    level: Level | None = Field(None, strict=False)
    algorithm: Algorithm | None = Field(None, strict=False)
    random_state: int | None = None
    batch_size: int | None = None
    renumber: bool = False
    keep_model: bool = False
    cache: bool = True

    def options(self) -> dict[str, Any]:
        """Return the options as the client takes them."""
        return self.model_dump(exclude={"source", "force"})


class NewImages(BaseModel, extra="forbid", strict=True):
    """Images to assign to the clusters of a job.

    Attributes:
        source: Absolute path of their folder, as the server and the workers see it.
        force: Whether to run again even if these images were already assigned.
    """

    source: str = Field(min_length=1, max_length=4096)
    force: bool = False


class OtherClusters(BaseModel, extra="forbid", strict=True):
    """How the images of a job are clustered again; what is null is as for a new job.

    Attributes:
        cluster: Number of a cluster whose images alone are clustered, -1 for those in none; null is
            all images.
        clusters: Number of clusters, or `auto` to choose it; null is `auto`.
        level: `coarser` or `finer`: of an automatic number, that one if it is nearly as good.
        algorithm: Clustering algorithm; null is `kmeans`.
        components: Number of principal components; null is as many as the job has.
        random_state: Seed; null is that of the job.
        force: Whether to run again even if these clusters were already found.
    """

    cluster: int | None = None
    clusters: int | Literal["auto"] | None = None
    level: Level | None = Field(None, strict=False)  # FastAPI has it as text
    algorithm: Algorithm | None = Field(None, strict=False)
    components: int | None = None
    random_state: int | None = None
    force: bool = False


def submit(site: Site, submission: Submission) -> Job:
    """Submit a folder, and start workers for the embedded server if none are running.

    Raises:
        UsageError: The submission is refused.
        BusyError: Too many folders are being listed.
    """
    listing = list_folder(site, submission.source)
    job = site.client.submit_listing(listing, force=submission.force, **submission.options())
    site.client.workers.ensure_running()
    return job


def assign(site: Site, parent: Job, images: NewImages) -> Job:
    """Submit images for the clusters of a job, and start workers as ``submit`` does.

    Raises:
        UsageError: The submission is refused.
        NotFinishedError: The job has no model, yet or any more.
        BusyError: Too many folders are being listed.
    """
    listing = list_folder(site, images.source)
    job = parent.assign_listing(listing, force=images.force)
    site.client.workers.ensure_running()
    return job


def list_folder(site: Site, source: str) -> Listing:
    """List the images of a folder that may be submitted.

    Raises:
        SourceError: There are none, or the folder is not under a directory of SHOAL_IMAGE_ROOTS.
        BusyError: Too many folders are being listed.
    """
    check_source(source, site.client.settings.image_roots)
    with only_some(site.listings, "Other folders are being listed"):
        return read_folder(Path(source))


def check_source(source: str, roots: tuple[Path, ...]) -> None:
    """Check where a folder is, before any answer could reveal whether it exists.

    Raises:
        SourceError: The path is relative, invalid, or outside ``roots``.
    """
    if "\0" in source or not source.startswith(("/", "~/")):
        raise SourceError("Give the full path of the folder, beginning with / or ~/.")
    folder = resolve_source(Path(source))
    if roots and not any(folder.is_relative_to(root) for root in roots):
        allowed = os.pathsep.join(map(str, roots))
        raise SourceError(f"Not under a directory of SHOAL_IMAGE_ROOTS: {allowed}.")
