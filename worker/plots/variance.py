"""How much of the variance the principal components keep."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from shoal.shared.text import describe_plane, describe_variance
from shoal.worker.plots.style import (
    GREY,
    PANELS_PIXELS,
    add_axes,
    draw,
    find_colour,
    make_figure,
)

BLUE = find_colour(0)


def plot_variance(explained_variance_ratio: ArrayLike) -> Image.Image:
    """Draw the variance that each component explains, alone and added up.

    Args:
        explained_variance_ratio: Shares of the whole variance, shape (n_components,).
    """
    return draw(make_variance_figure(explained_variance_ratio))


def make_variance_figure(explained_variance_ratio: ArrayLike) -> Figure:
    """Make the figure of ``plot_variance``: the sum above, the single components below."""
    # The ratio of images that are all alike is not a number: they have no variance.
    shares = np.nan_to_num(np.asarray(explained_variance_ratio, dtype=np.float64))
    plane = [describe_plane(shares.tolist())] if len(shares) > 2 else []
    figure = make_figure(PANELS_PIXELS, describe_variance(shares.tolist()), *plane)
    cumulative, single = add_axes(figure, ["Cumulative", "Per component"], "Principal component")
    for axes in (cumulative, single):
        axes.grid(visible=False, axis="x")
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.6g} %")
    single.set_xlim(0.4, len(shares) + 0.6)
    components = MaxNLocator(10, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    single.xaxis.set_major_locator(components)
    cumulative.xaxis.set_visible(False)
    _draw_cumulative(cumulative, shares.cumsum())
    _draw_bars(single, shares)
    return figure


def _draw_cumulative(axes: Axes, kept: NDArray[np.float64]) -> None:
    edges = np.arange(len(kept) + 1) + 0.5
    # Not `stairs`, which first searches them for limits: 0.7 s for 4,096 components.
    axes.add_artist(StepPatch(kept, edges, fill=True, color=BLUE, alpha=0.18, linewidth=0))
    # None leaves out the line down to zero; matplotlib's stubs do not know it.
    line = StepPatch(kept, edges, baseline=None, fill=False, color=BLUE, linewidth=1.6)  # type: ignore[arg-type]
    axes.add_artist(line)
    axes.set_ylim(0, 1.02)
    axes.axhline(1, color=GREY, linewidth=0.8, linestyle=(0, (4, 4)))


def _draw_bars(axes: Axes, shares: NDArray[np.float64]) -> None:
    # Bars with gaps as one outline: thousands of components cost no more than five.
    positions = np.arange(1, len(shares) + 1)
    edges = np.stack([positions - 0.4, positions + 0.4], axis=1).ravel()
    heights = np.stack([shares, np.zeros_like(shares)], axis=1).ravel()[:-1]
    axes.add_artist(StepPatch(heights, edges, fill=True, color=BLUE, linewidth=0))
    axes.set_ylim(0, max(float(shares.max()) * 1.08, 0.01))
