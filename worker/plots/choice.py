"""Why there are so many clusters: silhouette and stability of every number that was tried."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from shoal.shared.findings import ClusterChoice
from shoal.worker.plots.panel import make_panels
from shoal.worker.plots.style import BODY, INK, draw, find_colour, make_font

BLUE, ORANGE = find_colour(0), find_colour(3)


def plot_choice(choice: ClusterChoice) -> Image.Image:
    """Return a picture of silhouette and stability against the number of clusters."""
    return draw(make_choice_figure(choice))


def make_choice_figure(choice: ClusterChoice) -> Figure:
    """Make the figure of ``plot_choice``: silhouettes above, stabilities below."""
    labels = ("Silhouette", "Stability")
    figure, above, below = make_panels(
        "How many clusters", choice.reason, labels, "Number of clusters"
    )
    numbers = choice.tried or (choice.n_clusters,)
    for axes, values in ((above, choice.silhouettes), (below, choice.stabilities)):
        axes.set_xlim(min(numbers) - 0.6, max(numbers) + 0.6)
        axes.set_xticks(sorted({*numbers, choice.n_clusters}))
        _draw_curve(axes, choice, values)
    above.tick_params(labelbottom=False)
    return figure


def _draw_curve(axes: Axes, choice: ClusterChoice, values: Sequence[float]) -> None:
    """Draw one value for each number tried, the chosen number marked by a line and a disc."""
    axes.axvline(choice.n_clusters, color=ORANGE, linewidth=1.2, linestyle=(0, (4, 4)))
    axes.plot(choice.tried, values, color=BLUE, linewidth=1.6, marker="o", markersize=4)
    axes.set_ylim(min(0.0, *values, 0.0) * 1.08, max(0.05, *values, 0.0) * 1.18)
    for number, value in zip(choice.tried, values, strict=True):
        if number == choice.n_clusters:
            axes.plot([number], [value], color=ORANGE, marker="o", markersize=8, zorder=3)
            words = {"xytext": (7, 8), "textcoords": "offset points", "ha": "left"}
            axes.annotate(
                f"{value:.2f}", (number, value), **words | make_font(BODY) | {"color": INK}
            )
