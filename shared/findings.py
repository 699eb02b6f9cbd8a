"""Findings: what a job found out about each image and each cluster.

Plain frozen dataclasses: the same objects on the command line, in Python and over HTTP.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_type_hints

if TYPE_CHECKING:
    import pandas

Row = TypeVar("Row")
# Some rows of a table by columns, in the order of the fields of their model.
Columns: TypeAlias = Sequence[Sequence[Any]]

# The label of an image that is in no cluster, by HDBSCAN.
NOISE = -1


class PlotName(StrEnum):
    """The plots of a job, of which only one that chose its number of clusters has ``CHOICE``."""

    SCATTER = "scatter"
    CONTACT_SHEET = "contact-sheet"
    SIZES = "sizes"
    VARIANCE = "variance"
    CHOICE = "choice"


class FailureReason(StrEnum):
    """The kind of cause for which an image could not be used."""

    MISSING = "missing"
    CHANGED = "changed"
    NO_PERMISSION = "no-permission"
    NOT_A_FILE = "not-a-file"
    OUTSIDE_ROOTS = "outside-roots"
    EMPTY = "empty"
    TOO_MANY_BYTES = "too-many-bytes"
    TOO_MANY_PIXELS = "too-many-pixels"
    TOO_MUCH_MEMORY = "too-much-memory"
    NOT_AN_IMAGE = "not-an-image"
    UNSUPPORTED = "unsupported"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    KILLED_DECODER = "killed-decoder"
    TIMED_OUT = "timed-out"
    LOST_WORKER = "lost-worker"


class Turn(StrEnum):
    """How a picture lies compared with another: mirrored left to right, then turned clockwise.

    The order is that of their numbers in the store.
    """

    NONE = ""
    BY_90 = "turned 90"
    BY_180 = "turned 180"
    BY_270 = "turned 270"
    MIRRORED = "mirrored"
    MIRRORED_BY_90 = "mirrored and turned 90"
    MIRRORED_BY_180 = "mirrored and turned 180"
    MIRRORED_BY_270 = "mirrored and turned 270"


# By number.
TURNS = tuple(Turn)


class Rows(Iterator[Row]):
    """The rows of a table that may have millions, read part by part while you iterate over them.

    Attributes:
        parts: For whoever wants columns instead: those of the rows that are not read yet.
    """

    def __init__(self, model: type[Row], parts: Iterable[Columns]) -> None:
        """Make rows of ``model``, whose fields are the columns."""
        self._model: Any = model
        self.parts = iter(parts)
        self._rows = (row for columns in self.parts for row in map(model, *columns))

    def __next__(self) -> Row:
        return next(self._rows)

    def to_frame(self) -> "pandas.DataFrame":
        """Return the rows that are not read yet as a DataFrame of pandas.

        Returns:
            A column for each field: numbers as float32, ``label`` as int32, other whole numbers as
            int64, words of a fixed set as categories. Texts are objects of Python: the path of any
            file, also one that is not UTF-8, opens it.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("A DataFrame needs pandas: pip install pandas.") from error
        kinds = get_type_hints(self._model)
        columns: dict[str, list[Any]] = {field.name: [] for field in fields(self._model)}
        for part in self.parts:
            for name, more in zip(columns, part, strict=True):
                columns[name] += map(str, more) if _is_word(kinds[name]) else more
        dtypes = {name: _choose_dtype(name, kinds[name]) for name in columns}
        series = {name: pandas.Series(columns[name], dtype=dtypes[name]) for name in columns}
        return pandas.DataFrame(series)


def _choose_dtype(name: str, kind: Any) -> str:
    """Choose the dtype of a column; as in Parquet, labels have 32 bits."""
    if name == "label":
        return "int32"
    if _is_word(kind):
        return "category"
    return {float: "float32", int: "int64", bool: "bool"}.get(kind, "object")


def _is_word(kind: Any) -> bool:
    """Return whether values of this type are words of a fixed set."""
    return isinstance(kind, type) and issubclass(kind, StrEnum)


@dataclass(frozen=True)
class Failure:
    """One image that could not be used, and why."""

    path: str
    reason: FailureReason
    detail: str


# Groups of duplicates that a report shows, the largest; and images of each, of different content.
PICTURED_GROUPS = 12
PICTURED_OF_GROUP = 3


@dataclass(frozen=True)
class Duplicate:
    """An image of a group whose images are copies of each other or look alike.

    Attributes:
        group: Number of the group; groups are in the order of their first image.
        path: Relative to the job's source.
        content: Number of the file's content within the group; equal files have the same.
        like: Path of the image of the group that it resembles most, relative to the source.
        distance: How many of 63 bits differ between the perceptual hashes of the two, once they
            lie the same way.
        turn: How the image lies compared with that one; empty if it lies the same way.
    """

    group: int
    path: str
    content: int
    like: str
    distance: int
    turn: Turn = Turn.NONE


@dataclass(frozen=True)
class Assignment:
    """One image and its cluster.

    Attributes:
        path: Relative to the job's source.
        label: Number of the cluster, by falling number of fitted images or as in the job before; -1
            is noise.
        distance: To the cluster's centroid (for noise, to the nearest one) in the space of the
            principal components.
        pc1: First principal component.
        pc2: Second principal component; 0 if only one was asked for.
        x: Where the image stands on the map, on which similar images lie close together.
        y: The same, upwards.
        far: Whether it is farther from its cluster than the images of that reach.
        name: The name that a user gave to the cluster; "" if none.
    """

    path: str
    label: int
    distance: float
    pc1: float
    pc2: float
    x: float
    y: float
    far: bool = False
    name: str = ""


@dataclass(frozen=True)
class Match:
    """One image that a search or a recommendation found.

    Attributes:
        rank: From 1, the best.
        path: Relative to the job's source.
        label: Number of its cluster; -1 is noise.
        distance: To the nearest of the images that were given (or that are liked), in the space of
            the principal components.
    """

    rank: int
    path: str
    label: int
    distance: float


@dataclass(frozen=True, kw_only=True)
class ClusterSummary:
    """One cluster.

    Attributes:
        label: Number of the cluster.
        size: How many images it has.
        representatives: Paths of its most typical images, nearest to the centroid first.
        outliers: Paths of other images of it that are far from the centroid, farthest first.
        copies: How many copies of each of these the job has beside it, by path, where there are
            any: of a group of copies, one is shown.
        name: The name that a user gave to it; "" if none.
        far: How many of its images are farther from it than it reaches.
    """

    label: int
    size: int
    representatives: list[str]
    outliers: list[str] = field(default_factory=list)
    copies: dict[str, int] = field(default_factory=dict)
    name: str = ""
    far: int = 0


@dataclass(frozen=True, kw_only=True)
class ClusterGroup:
    """Clusters to which a user gave one name: to people, they are one.

    Attributes:
        name: The name.
        labels: Numbers of the clusters, ascending.
        size: How many images they have together.
    """

    name: str
    labels: list[int]
    size: int


@dataclass(frozen=True, kw_only=True)
class ClusterChoice:
    """The number of clusters that a job chose, and the evidence for it.

    Attributes:
        n_clusters: The number chosen.
        reason: Why, in words.
        stands_out: Whether there are clusters apart from each other that come again in samples; if
            not, the number is a guess.
        best: The number with the best score; ``n_clusters`` if no other level was asked for.
        coarser: A smaller number that is nearly as good as the best; None if there is none.
        finer: A larger number that is nearly as good as the best; None if there is none.
        tried: Numbers of clusters that were tried, ascending.
        scores: How good each is, 0 to 1.
        silhouettes: Mean silhouette of each, -1 to 1.
        stabilities: Mean agreement of each with what is found in random parts, at most 1.
    """

    n_clusters: int
    reason: str
    stands_out: bool = True
    best: int | None = None
    coarser: int | None = None
    finer: int | None = None
    tried: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    silhouettes: tuple[float, ...] = ()
    stabilities: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DuplicateCounts:
    """How many duplicates a job has.

    Attributes:
        groups: Groups of images that are copies of each other or look alike.
        images: Images in these groups.
        exact_copies: Images whose files have the same bytes as an earlier image's.
    """

    groups: int
    images: int
    exact_copies: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a finished job found.

    Attributes:
        clusters: By label.
        outliers: Paths of the images that are far from the nearest centroid, farthest first.
        copies: How many copies of each outlier the job has beside it, by path, where there are any.
        map_landmarks: Images from which the map was laid out; 0 if it is the first two components.
        rows_fitted: Images that the model was fitted on.
        n_components: Principal components kept.
        explained_variance_ratio: Share of the variance of each component.
        inertia: Sum of squared distances to the centroids, over the images fitted.
        versions: Of the packages that the result depends on.
        duplicates: How many there are; None if the search for them failed.
        noise: How many images are in no cluster.
        far: How many images are farther from their cluster than it reaches, noise included; None if
            the model does not say how far that is.
        choice: How the number of clusters was chosen; None if it was given.
        notes: What to know about the result, a sentence each, such as what could not be made.
        groups: The clusters that have names, those of one name together, by their lowest label.
    """

    clusters: list[ClusterSummary]
    outliers: list[str]
    rows_fitted: int
    n_components: int
    explained_variance_ratio: list[float]
    inertia: float
    versions: dict[str, str]
    duplicates: DuplicateCounts | None
    noise: int = 0
    choice: ClusterChoice | None = None
    notes: tuple[str, ...] = ()
    copies: dict[str, int] = field(default_factory=dict)
    far: int | None = None
    map_landmarks: int = 0
    groups: list[ClusterGroup] = field(default_factory=list)
