"""How many images each cluster holds, as bars."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.palette import choose_named
from shoal.shared.text import describe_sizes, show_share
from shoal.worker.plots.names import NO_NAMES, Names, fit_name
from shoal.worker.plots.style import (
    BODY,
    HEADER_PIXELS,
    LAST_ROW_PIXELS,
    MARGIN_PIXELS,
    WIDTH_PIXELS,
    describe_shown,
    draw,
    find_colour,
    make_figure,
    write,
)

NUMBER_PIXELS, NAME_PIXELS = 142, 330
# Between a bar and the words before and after it; and the widest words after it.
GAP_PIXELS, SIZE_PIXELS = 16, 254


def plot_sizes(sizes: NDArray[np.intp], names: Names = NO_NAMES, noise: int = 0) -> Image.Image:
    """Draw a bar for each cluster, with its number of images and their share.

    Args:
        sizes: Images of each cluster, shape (n_clusters,).
        names: What users called clusters.
        noise: Images in no cluster.
    """
    return draw(make_sizes_figure(sizes, names, noise))


def make_sizes_figure(sizes: NDArray[np.intp], names: Names = NO_NAMES, noise: int = 0) -> Figure:
    """Make the figure of ``plot_sizes``: of the 40 largest clusters, the largest first."""
    shown = sorted(choose_named(sizes.tolist()), key=lambda label: (-sizes[label], label))
    row_pixels = 56 if len(shown) <= 12 else 36
    height = HEADER_PIXELS + row_pixels * len(shown) + LAST_ROW_PIXELS
    note = f"Images in each cluster{describe_shown(len(sizes), 'shown')}"
    figure = make_figure(height, describe_sizes(sizes.tolist(), noise), note)
    total, largest = max(1, int(sizes.sum()) + noise), max(1, int(sizes.max(initial=0)))
    fitted = {label: fit_name(names.get(label, ""), NAME_PIXELS, BODY) for label in shown}
    left = MARGIN_PIXELS + NUMBER_PIXELS + (NAME_PIXELS if any(fitted.values()) else 0)
    room = WIDTH_PIXELS - left - SIZE_PIXELS
    for row, label in enumerate(shown):
        middle, size = HEADER_PIXELS + row_pixels * (row + 0.5), int(sizes[label])
        corner, length = left + GAP_PIXELS, room * size / largest
        write(figure, left, middle, name_cluster(label, fitted[label]), ha="right")
        _draw_bar(figure, (corner, middle), (length, 0.7 * row_pixels), find_colour(label))
        words = f"{size:,}  ({show_share(size / total)})"
        write(figure, corner + length + GAP_PIXELS, middle, words)
    return figure


def name_cluster(label: int, name: str) -> str:
    """Name a cluster by its number, and as a user called it."""
    return f"{name}  {label}" if name else f"Cluster {label}"


def _draw_bar(
    figure: Figure, place: tuple[float, float], size: tuple[float, float], colour: str
) -> None:
    """Draw a bar of length and thickness ``size``.

    ``place`` is the middle of its left end; all in pixels from the upper left corner.
    """
    # Not `barh` with labels: it takes 11 ms more for 5 clusters, 50 ms more for 40.
    (left, middle), (length, thickness) = place, size
    corner = (left, figure.bbox.height - middle - thickness / 2)
    bar = Rectangle(corner, length, thickness, facecolor=colour, transform=None)
    figure.add_artist(bar)
