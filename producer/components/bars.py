"""Sizes of clusters as bars, which a template draws."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shoal.shared.findings import NOISE, ClusterSummary, Summary
from shoal.shared.palette import MAX_NAMED, REST, colour_number
from shoal.shared.text import describe_sizes, show_count, show_share


@dataclass(frozen=True)
class Bar:
    """The images of one cluster, of all smaller ones together, or of none.

    Attributes:
        label: Number of the cluster; None if it is not one.
        name: What a user called it, or what stands in place of a cluster.
        colour: Number of its colour; negative ones are greys.
        size: How many images it has, with their share.
        length: Of the bar, as a share of the longest one, in percent.
    """

    label: int | None
    name: str
    colour: int
    size: str
    length: float


@dataclass(frozen=True)
class BarChart:
    """Sizes of clusters as bars.

    Attributes:
        finding: What the chart shows, in a sentence.
        bars: The largest cluster first.
    """

    finding: str
    bars: list[Bar]


def make_sizes(summary: Summary) -> BarChart:
    """Make the chart of the sizes of clusters: the 40 largest, the others together, noise."""
    by_size = sorted(summary.clusters, key=lambda cluster: (-cluster.size, cluster.label))
    shown, others = by_size[:MAX_NAMED], by_size[MAX_NAMED:]
    rows = [(c.label, c.name, colour_number(c.label), c.size) for c in shown]
    bars = [*rows, *_list_rest(others, summary.noise)]
    total = max(1, sum(cluster.size for cluster in by_size) + summary.noise)
    longest = max(1, *(size for *_, size in bars), 1)
    return BarChart(
        finding=describe_sizes([cluster.size for cluster in by_size], summary.noise) + ".",
        bars=[
            Bar(
                label=label,
                name=name,
                colour=colour,
                size=f"{size:,} ({show_share(size / total)})",
                length=round(100 * size / longest, 2),
            )
            for label, name, colour, size in bars
        ],
    )


def _list_rest(
    others: Sequence[ClusterSummary], noise: int
) -> Iterable[tuple[int | None, str, int, int]]:
    """List what is no bar of one cluster: label, name, colour and size."""
    if others:
        words = f"{show_count(len(others), 'smaller cluster')} together"
        yield None, words, REST, sum(cluster.size for cluster in others)
    if noise:
        yield None, "In no cluster", NOISE, noise
