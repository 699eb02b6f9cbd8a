"""Submissions through the API: a folder and its options, new images, other clusters."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from shoal.producer.job import Job
from shoal.producer.submission.folder import resolve_source
from shoal.producer.submission.inputs import Selection, read_sources
from shoal.producer.submission.inputs.found import check_roots
from shoal.producer.submission.listing import Listing
from shoal.producer.web.site import Site, only_some
from shoal.shared.errors import SourceError
from shoal.shared.jobs import Algorithm, Level, Recipe
from shoal.shared.sources.paths import is_url

Text = Annotated[str, Field(min_length=1, max_length=4096)]
Source = Text | Annotated[list[Text], Field(min_length=1, max_length=1000)]
Pattern = Annotated[str, Field(min_length=1, max_length=1000)]


class Submission(BaseModel, extra="forbid", strict=True):
    """What to cluster, and how; the options are those of `shoal submit`.

    Attributes:
        source: Absolute path of the folder, as the server and the workers see it; of a file, a
            pattern or a list of paths; a URL; or several of these.
        exclude: Patterns of what is left out, as in a .gitignore.
        column: Column of a CSV or Parquet file that has the paths; null finds it by its name.
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

    source: Source
    exclude: list[Pattern] = Field([], max_length=100)
    column: str | None = Field(None, max_length=200)
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
        return self.model_dump(exclude={"source", "exclude", "column", "force"})


class NewImages(BaseModel, extra="forbid", strict=True):
    """Images to assign to the clusters of a job.

    Attributes:
        source: As of a new job.
        exclude: As of a new job.
        column: As of a new job.
        force: Whether to run again even if these images were already assigned.
    """

    source: Source
    exclude: list[Pattern] = Field([], max_length=100)
    column: str | None = Field(None, max_length=200)
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
    listing = list_images(site, submission)
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
    listing = list_images(site, images)
    job = parent.assign_listing(listing, force=images.force)
    site.client.workers.ensure_running()
    return job


def list_images(site: Site, images: Submission | NewImages) -> Listing:
    """List images that may be submitted.

    Raises:
        SourceError: There are none, or they are not under a directory of SHOAL_IMAGE_ROOTS.
        OptionError: A pattern cannot be read, or a table has no such column.
        BusyError: Too many folders are being listed.
    """
    settings = site.client.settings
    given = [images.source] if isinstance(images.source, str) else images.source
    for source in given:
        check_source(source, settings.image_roots)
    selection = Selection(tuple(images.exclude), images.column, settings.image_roots)
    with only_some(site.listings, "Other folders are being listed"):
        return read_sources(given, settings, selection)


def check_source(source: str, roots: tuple[Path, ...]) -> None:
    """Check where a source is, before any answer could reveal whether it exists.

    Raises:
        SourceError: The path is relative, invalid, or outside ``roots``.
    """
    if "\0" in source or not (source.startswith(("/", "~/")) or is_url(source)):
        raise SourceError("Give the full path of the folder, beginning with / or ~/, or a URL.")
    if roots and not is_url(source):
        check_roots(os.fspath(resolve_source(Path(source))), roots)
