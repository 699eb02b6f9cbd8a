"""Two panels, one above the other, over the same numbers."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import IdentityTransform

from shoal.worker.plots.style import (
    BODY,
    HEADER_PIXELS,
    LABEL_PIXELS,
    LEFT_PIXELS,
    WIDTH_PIXELS,
    make_figure,
    make_font,
    place_axes,
)

PANEL_PIXELS = 300


def make_panels(
    title: str, note: str, labels: tuple[str, str], numbers: str
) -> tuple[Figure, Axes, Axes]:
    """Make a figure of two panels, each with its label at the left and ``numbers`` below both."""
    figure = make_figure(HEADER_PIXELS + 2 * PANEL_PIXELS + 156, title, note)
    above = _place_panel(figure, HEADER_PIXELS + 20, labels[0])
    below = _place_panel(figure, HEADER_PIXELS + PANEL_PIXELS + 50, labels[1])
    below.set_xlabel(numbers, labelpad=8, **make_font(BODY))
    return figure, above, below


def _place_panel(figure: Figure, top: float, label: str) -> Axes:
    """Add one of the panels."""
    axes = place_axes(figure, LEFT_PIXELS, top, WIDTH_PIXELS - LEFT_PIXELS - 60, PANEL_PIXELS)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_ylabel(label, **make_font(BODY))
    axes.yaxis.set_label_coords(LABEL_PIXELS, axes.bbox.y0 + PANEL_PIXELS / 2, IdentityTransform())
    axes.grid(visible=False, axis="x")
    return axes
