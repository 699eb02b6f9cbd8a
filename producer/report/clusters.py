"""The clusters of a report: the largest in full, the others as rows of a table."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shoal.producer.report.map import choose_largest
from shoal.producer.report.text import show_name
from shoal.shared.findings import ClusterSummary, Summary
from shoal.shared.palette import colour_number
from shoal.shared.text import show_copies, show_count, show_share

# Most rows of the table of clusters that are not shown in full.
ROWS = 500
# Size of all pictures together: images beyond it are shown by name only.
PICTURES_BYTES = 1_300_000


@dataclass(frozen=True)
class _Picture:
    """An image with its name; ``source`` is a data URL, empty if there is no picture.

    ``copies`` says how many copies of it there are beside it, as in "+4 copies"; empty if none.
    """

    name: str
    source: str
    copies: str


@dataclass(frozen=True)
class Cluster:
    """A cluster as the report shows it.

    Attributes:
        label: Number of the cluster.
        name: The name that a user gave to it; "" if none.
        colour: Number of its colour on the map.
        size: Number of its images, as in "12 images".
        share: Its share of all images, in percent.
        pictures: Its most typical images.
        colours: The dominant colours of its images, as "#rrggbb".
        outliers: Its images that are farthest from the centroid.
    """

    label: int
    name: str
    colour: int
    size: str
    share: str
    pictures: list[_Picture]
    colours: list[str]
    outliers: list[_Picture]


@dataclass(frozen=True)
class _Clusters:
    """All clusters of a report.

    Attributes:
        total: Number of clusters.
        noise: How many images are in no cluster; empty if there are none.
        shown: Clusters that are shown in full.
        rows: Clusters in the table.
        left_out: Number of clusters that are in neither.
        outliers: The images that are farthest from every centroid.
    """

    total: int
    noise: str
    shown: list[Cluster]
    rows: list[Cluster]
    left_out: int
    outliers: list[_Picture]


class _PictureBudget:
    """Embeds pictures in the report until ``room_bytes`` are used up."""

    def __init__(self, pictures: Mapping[str, bytes], room_bytes: int = PICTURES_BYTES) -> None:
        self.pictures = pictures
        self.room_bytes = room_bytes

    def take(self, path: str, copies: Mapping[str, int]) -> _Picture:
        """Return the picture of an image; without a source if there is none or no room.

        ``copies`` are how many there are beside each image that has any, by path.
        """
        more, jpeg = show_copies(copies.get(path, 0)), self.pictures.get(path, b"")
        if not jpeg or len(jpeg) > self.room_bytes:
            return _Picture(show_name(path), "", more)
        self.room_bytes -= len(jpeg)
        source = f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
        return _Picture(show_name(path), source, more)


def make_clusters(
    summary: Summary, pictures: Mapping[str, bytes], colours: Mapping[int, list[str]]
) -> _Clusters:
    """Make the clusters as a report shows them.

    Args:
        summary: The job's summary.
        pictures: JPEGs of some images, by path.
        colours: Dominant colours of clusters, by label.
    """
    budget = _PictureBudget(pictures)
    total = summary.noise + sum(cluster.size for cluster in summary.clusters)
    largest = choose_largest(summary.clusters)
    shown = {cluster.label for cluster in largest}
    others = [cluster for cluster in summary.clusters if cluster.label not in shown]
    in_full = [_show_cluster(c, total, budget, c.representatives) for c in largest]
    outliers = [budget.take(path, summary.copies) for path in summary.outliers]
    # These come last: the budget is first for representatives and for the job's outliers.
    in_full = [
        replace(
            cluster,
            colours=colours.get(cluster.label, []),
            outliers=[budget.take(path, known.copies) for path in known.outliers],
        )
        for cluster, known in zip(in_full, largest, strict=True)
    ]
    return _Clusters(
        total=len(summary.clusters),
        noise=f"{show_count(summary.noise, 'image')} · {show_share(summary.noise / total)}"
        if summary.noise
        else "",
        shown=in_full,
        outliers=outliers,
        rows=[_show_cluster(c, total, budget, c.representatives[:1]) for c in others[:ROWS]],
        left_out=len(others[ROWS:]),
    )


def _show_cluster(
    cluster: ClusterSummary, total: int, budget: _PictureBudget, paths: Sequence[str]
) -> Cluster:
    return Cluster(
        label=cluster.label,
        name=cluster.name,
        colour=colour_number(cluster.label),
        size=show_count(cluster.size, "image"),
        share=show_share(cluster.size / total if total else 0),
        pictures=[budget.take(path, cluster.copies) for path in paths],
        colours=[],
        outliers=[],
    )
