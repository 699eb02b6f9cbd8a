"""The clusters of a report: the largest in full, the rest in a table as far as there is room."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shoal.producer.report.map import choose_largest
from shoal.producer.report.text import show_name
from shoal.shared.findings import ClusterSummary, Summary
from shoal.shared.palette import colour_number
from shoal.shared.text import show_count, show_share

# Rows of the table of clusters that are not shown in full.
ROWS = 500
# Of all pictures together: the rest are named without one.
PICTURES_BYTES = 1_300_000


@dataclass(frozen=True)
class _Picture:
    """An image that is shown on its own; ``source`` is empty where there is no picture of it."""

    name: str
    source: str


@dataclass(frozen=True)
class Cluster:
    """A cluster as it is shown.

    Attributes:
        label: Number of the cluster.
        colour: Number of its colour on the map.
        size: Its images, in words.
        share: Of all images, in percent.
        pictures: Its most typical images.
        colours: The dominant colours of its images, as "#rrggbb".
        outliers: Its images that are farthest from the centroid.
    """

    label: int
    colour: int
    size: str
    share: str
    pictures: list[_Picture]
    colours: list[str]
    outliers: list[_Picture]


@dataclass(frozen=True)
class _Clusters:
    """All clusters: how many, those in full, in the table, and how many are in neither.

    ``noise`` says how many images are in no cluster; empty if each is in one.
    """

    total: int
    noise: str
    shown: list[Cluster]
    rows: list[Cluster]
    left_out: int
    outliers: list[_Picture]


class _PictureBudget:
    """Pictures by path, as sources of images, as far as there is room for them."""

    def __init__(self, pictures: Mapping[str, bytes], room_bytes: int = PICTURES_BYTES) -> None:
        self.pictures = pictures
        self.room_bytes = room_bytes

    def take(self, path: str) -> _Picture:
        """Return the picture of an image, without a source where there is none."""
        jpeg = self.pictures.get(path, b"")
        if not jpeg or len(jpeg) > self.room_bytes:
            return _Picture(show_name(path), "")
        self.room_bytes -= len(jpeg)
        return _Picture(show_name(path), f"data:image/jpeg;base64,{b64encode(jpeg).decode()}")


def make_clusters(
    summary: Summary, pictures: Mapping[str, bytes], colours: Mapping[int, list[str]]
) -> _Clusters:
    """Return the clusters as a report shows them.

    Args:
        summary: What the job found.
        pictures: JPEG of some images, by path.
        colours: Dominant colours of clusters, by label.
    """
    album = _PictureBudget(pictures)
    total = summary.noise + sum(cluster.size for cluster in summary.clusters)
    largest = choose_largest(summary.clusters)
    shown = {cluster.label for cluster in largest}
    others = [cluster for cluster in summary.clusters if cluster.label not in shown]
    in_full = [_show_cluster(c, total, album, c.representatives) for c in largest]
    outliers = [album.take(path) for path in summary.outliers]
    # What the room is for first has been taken.
    in_full = [
        replace(
            cluster,
            colours=colours.get(cluster.label, []),
            outliers=[album.take(path) for path in known.outliers],
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
        rows=[_show_cluster(c, total, album, c.representatives[:1]) for c in others[:ROWS]],
        left_out=len(others[ROWS:]),
    )


def _show_cluster(
    cluster: ClusterSummary, total: int, album: _PictureBudget, paths: Sequence[str]
) -> Cluster:
    """Return one cluster as it is shown, with the pictures of ``paths``."""
    return Cluster(
        label=cluster.label,
        colour=colour_number(cluster.label),
        size=show_count(cluster.size, "image"),
        share=show_share(cluster.size / total if total else 0),
        pictures=[album.take(path) for path in paths],
        colours=[],
        outliers=[],
    )
