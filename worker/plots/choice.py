"""Why there are so many clusters: silhouette and stability of every number that was tried."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import IdentityTransform

from shared.jobs import ClusterChoice
from worker.plots.style import (
    BODY,
    HEADER_PIXELS,
    INK,
    WIDTH_PIXELS,
    find_colour,
    make_figure,
    make_font,
    place_axes,
    to_png,
)

LEFT_PIXELS = 150
LABEL_PIXELS = 36
PANEL_PIXELS = 300
BLUE, ORANGE = find_colour(0), find_colour(3)


def plot_choice(choice: ClusterChoice) -> bytes:
    """Return a PNG of silhouette and stability against the number of clusters."""
    return to_png(make_choice_figure(choice))


def make_choice_figure(choice: ClusterChoice) -> Figure:
    """Make the figure of ``plot_choice``: silhouettes above, stabilities below."""
    height = HEADER_PIXELS + 2 * PANEL_PIXELS + 156
    figure = make_figure(height, "How many clusters", choice.reason)
    above = place_panel(figure, HEADER_PIXELS + 20, "Silhouette", choice)
    draw_curve(above, choice, choice.silhouettes)
    above.tick_params(labelbottom=False)
    below = place_panel(figure, HEADER_PIXELS + PANEL_PIXELS + 50, "Stability", choice)
    draw_curve(below, choice, choice.stabilities)
    below.set_xlabel("Number of clusters", labelpad=8, **make_font(BODY))
    return figure


def place_panel(figure: Figure, top: float, label: str, choice: ClusterChoice) -> Axes:
    """Add one of the two panels, with the numbers of clusters to the right."""
    axes = place_axes(figure, LEFT_PIXELS, top, WIDTH_PIXELS - LEFT_PIXELS - 60, PANEL_PIXELS)
    numbers = choice.tried or (choice.n_clusters,)
    axes.set_xlim(min(numbers) - 0.6, max(numbers) + 0.6)
    axes.set_xticks(sorted({*numbers, choice.n_clusters}))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_ylabel(label, **make_font(BODY))
    axes.yaxis.set_label_coords(LABEL_PIXELS, axes.bbox.y0 + PANEL_PIXELS / 2, IdentityTransform())
    axes.grid(visible=False, axis="x")
    return axes


def draw_curve(axes: Axes, choice: ClusterChoice, values: Sequence[float]) -> None:
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
