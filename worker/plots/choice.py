"""Why there are so many clusters: the scores of every number that was tried."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from shoal.shared.findings import ClusterChoice
from shoal.shared.text import split_reason
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
NAMES = ["Score", "Silhouette", "Stability"]
# Numbers are tried at growing steps: they are on a logarithmic axis, with these marked.
MARKED = (2, 3, 5, 10, 20, 50, 100, 200, 500)
MARGIN = 1.15


def plot_choice(choice: ClusterChoice) -> Image.Image:
    """Draw score, silhouette and stability against the number of clusters."""
    return draw(make_choice_figure(choice))


def make_choice_figure(choice: ClusterChoice) -> Figure:
    """Make the figure of ``plot_choice``: the score above, what it is made of below."""
    finding, measured = split_reason(choice.reason)
    notes = filter(None, (measured, _describe_levels(choice)))
    figure = make_figure(PANELS_PIXELS, finding, ". ".join(notes))
    panels = add_axes(figure, NAMES, "Number of clusters")
    numbers = choice.tried or (choice.n_clusters,)
    lowest = panels[-1]
    lowest.set_xscale("log")
    lowest.set_xlim(min(numbers) / MARGIN, max(numbers) * MARGIN)
    marked = {n for n in MARKED if min(numbers) <= n <= max(numbers)} or set(numbers)
    lowest.set_xticks(sorted(marked), [str(n) for n in sorted(marked)])
    lowest.minorticks_off()
    values = (choice.scores, choice.silhouettes, choice.stabilities)
    for axes, curve in zip(panels, values, strict=True):
        _draw_curve(axes, choice, curve)
    return figure


def _describe_levels(choice: ClusterChoice) -> str:
    """Say what the dotted lines mark; "" if there are none."""
    levels = (("coarser", choice.coarser), ("finer", choice.finer))
    words = [f"{number} ({word})" for word, number in levels if number]
    return f"Nearly as good: {' and '.join(words)}, dotted" if words else ""


def _draw_curve(axes: Axes, choice: ClusterChoice, values: Sequence[float]) -> None:
    """Draw one value for each number tried; lines mark the chosen number and other levels."""
    axes.grid(visible=False, axis="x")
    for other in filter(None, (choice.coarser, choice.finer)):
        axes.axvline(other, color=BLUE, linewidth=0.8, linestyle=(0, (2, 4)))
    axes.axvline(choice.n_clusters, color=ORANGE, linewidth=1.2, linestyle=(0, (4, 4)))
    axes.plot(choice.tried[: len(values)], values, color=BLUE, lw=1.6, marker="o", markersize=4)
    axes.set_ylim(min(0.0, *values, 0.0) * 1.08, max(0.05, *values, 0.0) * 1.25)
    if values and choice.n_clusters in choice.tried:
        chosen = (choice.n_clusters, values[choice.tried.index(choice.n_clusters)])
        axes.plot(*chosen, color=ORANGE, marker="o", markersize=8, zorder=3)
        place = {"xytext": (7, 8), "textcoords": "offset points"}
        axes.annotate(f"{chosen[1]:.2f}", chosen, **place | make_font(BODY))
