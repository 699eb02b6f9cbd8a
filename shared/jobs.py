"""Job models: what a user asks for, and the status of that.

Plain frozen dataclasses: the same objects on the command line, in Python and over HTTP.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal

from msgspec import Meta


class State(StrEnum):
    """The state of a job; in all but the last three, there is work to do."""

    QUEUED = "queued"
    LOADING = "loading"
    FITTING = "fitting"
    LABELLING = "labelling"
    FINISHING = "finishing"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended; only a retry leads out of this state."""
        return self in {State.FINISHED, State.FAILED, State.CANCELLED}


class Wave(StrEnum):
    """The two stages in which a job's batches are worked on."""

    LOADING = "loading"
    LABELLING = "labelling"


class Algorithm(StrEnum):
    """What finds the clusters."""

    KMEANS = "kmeans"
    MINIBATCH = "minibatch"
    HDBSCAN = "hdbscan"


class Recipe(StrEnum):
    """Options that belong together."""

    TUTORIAL = "tutorial"


class Level(StrEnum):
    """Whether fewer or more clusters are wanted than the best number, if that is chosen."""

    COARSER = "coarser"
    FINER = "finer"


AUTO: Literal["auto"] = "auto"
# Stands for standard input among what was given.
STDIN = "-"
# Of many folders or files that were given, so many are named in a line.
INPUTS_SHOWN = 3

# The options of each recipe; whatever a user gives beside one counts more. The origin's steps:
# StandardScaler, PCA and KMeans of scikit-learn, on pixels.
RECIPES: dict[Recipe, dict[str, Any]] = {
    Recipe.TUTORIAL: {"features": "pixels", "components": 2, "clusters": 5, "random_state": 0},
}


def _number(least: int, most: int, otherwise: str = "") -> Meta:
    description = f"a whole number from {least:,} to {most:,}{otherwise}"
    return Meta(ge=least, le=most, description=description)


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What a user asks for: a folder, to be clustered with these parameters.

    Attributes:
        source: What the paths of the images are relative to: the absolute path of a folder or of an
            archive, as the workers see it, or a URL without credentials.
        features: Name of the extractor, or several: ``hog+color``.
        image_size: Images are resized to ``image_size`` × ``image_size`` pixels.
        components: Principal components; ``None`` means 50, or as many as the images allow.
        clusters: Number of clusters, or ``"auto"`` to choose it, as HDBSCAN always does.
        level: Of an automatic number of clusters, a coarser or finer one if it is nearly as good.
        algorithm: What finds the clusters.
        random_state: Seed of the sample, the PCA and the KMeans.
        batch_size: Images per task; ``None`` chooses by the images.
        renumber: Number clusters by size, not as in the job before.
        keep_model: Use the model of the job before instead of a fit.
        cache: Whether rows of images that were seen before are looked up, and new ones kept.
        model_of: Id of the job whose model labels the images; None fits one.
        coordinates_of: Id of the job whose coordinates are clustered again; None loads the images.
        cluster: Of these, the cluster that is divided; None takes all images.
        inputs: What was given instead of a folder, such as several folders or a list; empty for
            a folder.
        exclude: Patterns of what was left out.
        column: Column of a table that has the paths; None was found by its name.
    """

    source: str
    features: str = "embedding"
    image_size: Annotated[int, _number(1, 512)] = 260
    components: Annotated[int, _number(1, 4096)] | None = None
    clusters: Annotated[int, _number(1, 10_000, " or auto")] | Literal["auto"] = AUTO
    level: Level | None = None
    algorithm: Algorithm = Algorithm.KMEANS
    random_state: Annotated[int, _number(0, 2**32 - 1)] = 0
    batch_size: Annotated[int, _number(1, 4096)] | None = None
    renumber: bool = False
    keep_model: bool = False
    cache: bool = True
    model_of: str | None = None
    coordinates_of: str | None = None
    cluster: int | None = None
    inputs: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    column: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """What was submitted: a folder, or all that was given instead."""
        return self.inputs or (self.source,)

    @property
    def title(self) -> str:
        """What was submitted, in a line."""
        if STDIN in self.given:
            return f"{self.source}, listed on standard input"
        more = len(self.given) - INPUTS_SHOWN
        shown = ", ".join(self.given[:INPUTS_SHOWN])
        return f"{shown} and {more:,} more" if more > 0 else shown

    @property
    def images_of(self) -> str:
        """The job whose images these are, as in "cluster 3 of job 8f3a51c0d2be"; "" if none."""
        whole = f"job {self.coordinates_of}"
        if self.coordinates_of is None or self.cluster is None:
            return whole if self.coordinates_of else ""
        return f"{f'cluster {self.cluster}' if self.cluster >= 0 else 'no cluster'} of {whole}"

    @property
    def takes_model(self) -> bool:
        """Whether labels come from the model of another job, and none is fitted."""
        return self.keep_model or self.model_of is not None


# What only a job that builds on another one has; no option of a folder.
DERIVED = ("model_of", "coordinates_of", "cluster")
# What says which images a job has; no option of what is done with them.
IMAGES = ("source", "inputs", "exclude", "column")
# What kinds of files are called in ``LeftOut`` that are among the rarest, and files without one.
OTHER = "other"

# The value of each option that a user does not give.
DEFAULTS = JobRequest(source="")


@dataclass(frozen=True, kw_only=True)
class ImageCounts:
    """How many images a job has; ``loaded + failed == total`` once loading has ended.

    ``known`` are those of them whose rows, or whose faults, were known from earlier jobs.
    """

    total: int
    loaded: int
    failed: int
    known: int = 0


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What a folder has beside the images of a job, as it was submitted.

    Attributes:
        images: Number of images of kinds that are not read, by extension.
        packages: The package that would read it, by extension; of other kinds there is none.
        files: Number of files that are no images, by extension.
        links: Number of links to what is listed already.
        unreadable: Number of directories that could not be listed, and of broken links.
        excluded: Number of files and folders that patterns left out.
        given_again: Number of images that were given more than once.
        members: Number of members of archives that are never read, by what they are.
        damaged: What is wrong with archives that were read in part: the first ten of them.
    """

    images: dict[str, int] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    links: int = 0
    unreadable: int = 0
    excluded: int = 0
    given_again: int = 0
    members: dict[str, int] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """What is left out, in lines, each with its remedy if there is one."""
        lines = []
        for package in (*sorted(set(self.packages.values())), None):
            images = {k: n for k, n in self.images.items() if self.packages.get(k) == package}
            if n := sum(images.values()):
                what = f"{n:,} image{'s' * (n > 1)} that Shoal cannot read"
                remedy = f"pip install {package}" if package else "convert to JPEG, PNG or TIFF"
                lines.append(f"{what}: {_show_kinds(images)} ({remedy})")
        if n := sum(self.files.values()):
            kinds = "" if list(self.files) == [OTHER] else f": {_show_kinds(self.files)}"
            lines.append(f"{n:,} other file{'s' * (n > 1)}{kinds}")
        if n := self.links:
            lines.append(f"{n:,} link{'s' * (n > 1)} to what is listed already")
        if n := self.unreadable:
            lines.append(f"directories or links that cannot be read: {n:,}")
        if n := self.excluded:
            lines.append(f"{n:,} excluded by your patterns")
        if n := self.given_again:
            lines.append(f"{n:,} image{'s' * (n > 1)} given more than once")
        if self.members:
            members = (f"{n:,} {what}{'s' * (n > 1)}" for what, n in self.members.items())
            lines.append(f"in archives: {', '.join(members)}")
        return [*lines, *self.damaged]

    @property
    def line(self) -> str:
        """All of it in one line; "" if nothing is left out."""
        return f"Left out: {'; '.join(self.lines)}." if self.lines else ""


def _show_kinds(kinds: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())


@dataclass(frozen=True, kw_only=True)
class Previous:
    """The job before: of the same folder with the same options, by which clusters are numbered.

    The counts are None before the fit, and if that job had expired by then.

    Attributes:
        job_id: Id of the job before.
        n_new: Number of images that it does not have.
        n_gone: Number of its images that this job does not have.
        n_shared: Number of images that both have, by content, wherever they are.
        n_matched: Number of clusters that have the number of their counterpart there.
    """

    job_id: str
    n_new: int | None = None
    n_gone: int | None = None
    n_shared: int | None = None
    n_matched: int | None = None


@dataclass(frozen=True, kw_only=True)
class Status:
    """The status of a job. Times are in seconds since 1970 (UTC).

    ``protocol`` and ``version`` say which Shoal submitted it; of an earlier one, the version is "".
    """

    job_id: str
    state: State
    images: ImageCounts
    progress: float
    images_per_second: float | None
    eta_seconds: float | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    expires_at: float | None
    error: str | None
    request: JobRequest
    left_out: LeftOut = field(default_factory=LeftOut)
    previous: Previous | None = None
    protocol: int = 1
    version: str = ""
