"""The clusters of a report: the largest in full, the others as rows of a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shoal.producer.report.map import choose_largest
from shoal.producer.report.pictures import Picture, PictureBudget
from shoal.shared.findings import ClusterSummary, Summary
from shoal.shared.palette import colour_number
from shoal.shared.text import show_count, show_share

# Most rows of the table of clusters that are not shown in full.
ROWS = 500


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
        outliers: Images of it that are far from its centre, without those of the whole job.
    """

    label: int
    name: str
    colour: int
    size: str
    share: str
    pictures: list[Picture]
    colours: list[str]
    outliers: list[Picture]


@dataclass(frozen=True)
class Group:
    """Clusters that share a name, or one cluster.

    Attributes:
        title: The name, or "Cluster 3".
        size: Number of its images, as in "12 images".
        share: Their share of all images, in percent.
        clusters: One or more.
    """

    title: str
    size: str
    share: str
    clusters: list[Cluster]


@dataclass(frozen=True)
class _Clusters:
    """All clusters of a report.

    Attributes:
        total: Number of clusters.
        noise: How many images are in no cluster; empty if there are none.
        groups: Clusters that are shown in full, those of one name together.
        rows: Clusters in the table.
        left_out: Number of clusters that are in neither.
        far: How many images are far from their cluster; empty if none or not known.
        outliers: The images that are farthest from every centroid.
    """

    total: int
    noise: str
    groups: list[Group]
    rows: list[Cluster]
    left_out: int
    far: str
    outliers: list[Picture]

    @property
    def shown(self) -> list[Cluster]:
        """The clusters that are shown in full."""
        return [cluster for group in self.groups for cluster in group.clusters]


def make_clusters(
    summary: Summary, budget: PictureBudget, colours: Mapping[int, list[str]]
) -> _Clusters:
    """Make the clusters as a report shows them.

    Args:
        summary: The job's summary.
        budget: What pictures are taken from.
        colours: Dominant colours of clusters, by label.
    """
    total = summary.noise + sum(cluster.size for cluster in summary.clusters)
    largest = choose_largest(summary.clusters)
    shown = {cluster.label for cluster in largest}
    others = [cluster for cluster in summary.clusters if cluster.label not in shown]
    in_full = [_show_cluster(c, total, budget, c.representatives) for c in largest]
    outliers = [budget.take(path, summary.copies.get(path, 0)) for path in summary.outliers]
    # These come last: the budget is first for representatives and for the job's outliers.
    in_full = [
        replace(
            cluster,
            colours=colours.get(cluster.label, []),
            outliers=_take_others(known, summary.outliers, budget),
        )
        for cluster, known in zip(in_full, largest, strict=True)
    ]
    return _Clusters(
        total=len(summary.clusters),
        noise=f"{show_count(summary.noise, 'image')} · {show_share(summary.noise / total)}"
        if summary.noise
        else "",
        groups=list(_group(in_full, largest, total)),
        far=show_count(summary.far, "image") if summary.far else "",
        outliers=outliers,
        rows=[_show_cluster(c, total, budget, c.representatives[:1]) for c in others[:ROWS]],
        left_out=len(others[ROWS:]),
    )


def _take_others(
    cluster: ClusterSummary, known: Sequence[str], budget: PictureBudget
) -> list[Picture]:
    """Take the outliers of a cluster that are not among the ``known`` ones of the job."""
    paths = [path for path in cluster.outliers if path not in known]
    return [budget.take(path, cluster.copies.get(path, 0)) for path in paths]


def _group(
    clusters: Sequence[Cluster], known: Sequence[ClusterSummary], total: int
) -> Iterator[Group]:
    """Yield clusters of one name together, in the place of the first of them."""
    groups: dict[str | int, list[int]] = {}
    for place, cluster in enumerate(clusters):
        groups.setdefault(cluster.name or cluster.label, []).append(place)
    for title, places in groups.items():
        size = sum(known[place].size for place in places)
        yield Group(
            title=title if isinstance(title, str) else f"Cluster {title}",
            size=show_count(size, "image"),
            share=show_share(size / total if total else 0),
            clusters=[clusters[place] for place in places],
        )


def _show_cluster(
    cluster: ClusterSummary, total: int, budget: PictureBudget, paths: Sequence[str]
) -> Cluster:
    return Cluster(
        label=cluster.label,
        name=cluster.name,
        colour=colour_number(cluster.label),
        size=show_count(cluster.size, "image"),
        share=show_share(cluster.size / total if total else 0),
        pictures=[budget.take(path, cluster.copies.get(path, 0)) for path in paths],
        colours=[],
        outliers=[],
    )
