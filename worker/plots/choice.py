"""Why there are so many clusters: silhouette and stability of every number that was tried."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from shoal.shared.findings import ClusterChoice
from shoal.worker.plots.style import (
    BODY,
    PANELS_PIXELS,
    add_axes,
    draw,
    find_colour,
    make_figure,
    make_font,
)

BLUE, ORANGE = find_colour(0), find_colour(3)


def plot_choice(choice: ClusterChoice) -> Image.Image:
    """Draw silhouette and stability against the number of clusters."""
    return draw(make_choice_figure(choice))


def make_choice_figure(choice: ClusterChoice) -> Figure:
    """Make the figure of ``plot_choice``: silhouettes above, stabilities below."""
    figure = make_figure(PANELS_PIXELS, "How many clusters", choice.reason)
    above, below = add_axes(figure, ["Silhouette", "Stability"], "Number of clusters")
    numbers = choice.tried or (choice.n_clusters,)
    below.set_xlim(min(numbers) - 0.6, max(numbers) + 0.6)
    below.set_xticks(sorted({*numbers, choice.n_clusters}))
    _draw_curve(above, choice, choice.silhouettes)
    _draw_curve(below, choice, choice.stabilities)
    return figure


def _draw_curve(axes: Axes, choice: ClusterChoice, values: Sequence[float]) -> None:
    """Draw one value for each number tried; a line and a disc mark the chosen number."""
    axes.grid(visible=False, axis="x")
    axes.axvline(choice.n_clusters, color=ORANGE, linewidth=1.2, linestyle=(0, (4, 4)))
    axes.plot(choice.tried, values, color=BLUE, linewidth=1.6, marker="o", markersize=4)
    axes.set_ylim(min(0.0, *values, 0.0) * 1.08, max(0.05, *values, 0.0) * 1.18)
    if choice.n_clusters in choice.tried:
        chosen = (choice.n_clusters, values[choice.tried.index(choice.n_clusters)])
        axes.plot(*chosen, color=ORANGE, marker="o", markersize=8, zorder=3)
        place = {"xytext": (7, 8), "textcoords": "offset points"}
        axes.annotate(f"{chosen[1]:.2f}", chosen, **place | make_font(BODY))
