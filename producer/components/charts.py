"""The charts of a finished job, made from its summary for the macros of ``charts.html``.

They are drawn in the page's own colours, light and dark, and are as wide as there is room.
"""

from dataclasses import dataclass

from shoal.producer.components.bars import BarChart, make_sizes
from shoal.producer.components.curves import Curve, make_choice, make_variance
from shoal.shared.findings import Summary


@dataclass(frozen=True)
class Charts:
    """All charts of a job; ``choice`` is None if the number of clusters was given."""

    sizes: BarChart
    choice: Curve | None
    variance: Curve


def make_charts(summary: Summary) -> Charts:
    """Make the charts of a job."""
    return Charts(
        sizes=make_sizes(summary),
        choice=make_choice(summary.choice) if summary.choice else None,
        variance=make_variance(summary.explained_variance_ratio),
    )
