"""All images in the plane of the first two principal components."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from matplotlib.transforms import IdentityTransform
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from shoal.shared.findings import NOISE
from shoal.shared.text import show_share
from shoal.worker.plots.marks import draw_numbers, draw_points, find_look
from shoal.worker.plots.points import Frame, Points, find_centroids, find_frame, sample_with_noise
from shoal.worker.plots.style import (
    BODY,
    GREY,
    HEADER_PIXELS,
    LABEL_PIXELS,
    LEFT_PIXELS,
    LINE_PIXELS,
    MARGIN_PIXELS,
    MAX_NAMED,
    SMALL,
    WIDTH_PIXELS,
    describe_clusters,
    draw,
    make_figure,
    make_font,
    make_markers,
    place_axes,
    write,
)

HEIGHT_PIXELS = 1130
PLANE_BOTTOM_PIXELS = 100
LEGEND_ROWS = 20
LEGEND_COLUMN_PIXELS = 236
LEGEND_NAME_PIXELS, LEGEND_COUNT_PIXELS = 36, 208


@dataclass(frozen=True)
class _Layout:
    """Where plane and legend are, in pixels.

    Attributes:
        top: Upper edge of both.
        legend_columns: Columns of clusters in the legend.
    """

    top: int
    legend_columns: int

    @property
    def legend_left(self) -> int:
        """Left edge of the legend."""
        return WIDTH_PIXELS - MARGIN_PIXELS // 2 - LEGEND_COLUMN_PIXELS * self.legend_columns

    @property
    def width(self) -> int:
        """Width of the plane."""
        return self.legend_left - MARGIN_PIXELS - LEFT_PIXELS

    @property
    def height(self) -> int:
        """Height of plane and legend."""
        return HEIGHT_PIXELS - self.top - PLANE_BOTTOM_PIXELS


def plot_scatter(
    coordinates: NDArray[np.float32],
    labels: NDArray[np.int32],
    sizes: NDArray[np.intp],
    explained_variance_ratio: ArrayLike,
) -> Image.Image:
    """Return a picture of the images' first two principal components, coloured by cluster.

    Above 20,000 images an even sample is drawn; points far from all others are drawn at the edge.
    Both are said in the plot.

    Args:
        coordinates: First and second component of each image, shape (n_samples, 2). Where only
            one was computed, the second is ignored and the points are spread at random.
        labels: Cluster of each image, -1 for noise; shape (n_samples,).
        sizes: Images of each cluster, shape (n_clusters,).
        explained_variance_ratio: Share of the variance of each component, shape (n_components,).
    """
    return draw(make_scatter_figure(coordinates, labels, sizes, explained_variance_ratio))


def make_scatter_figure(
    coordinates: NDArray[np.float32],
    labels: NDArray[np.int32],
    sizes: NDArray[np.intp],
    explained_variance_ratio: ArrayLike,
) -> Figure:
    """Make the figure of ``plot_scatter``."""
    shares = np.asarray(explained_variance_ratio, dtype=np.float64)
    points = _spread_single_component(coordinates, len(shares))
    noise = len(labels) - int(sizes.sum())
    frame, rows = find_frame(points), sample_with_noise(labels, sizes, noise)
    outside = int(frame.is_outside(points).sum())
    notes = [
        describe_clusters(sizes, "numbered", noise),
        *describe_limits(len(labels), len(rows), outside),
    ]
    figure = make_figure(HEIGHT_PIXELS, _describe_title(len(shares)), *notes)
    layout = _Layout(HEADER_PIXELS + LINE_PIXELS * (len(notes) - 1), 1 + (len(sizes) > LEGEND_ROWS))
    axes = _place_plane(figure, layout, frame, shares)
    draw_points(axes, frame, points[rows], labels[rows])
    inside = labels >= 0
    centroids = find_centroids(points[inside], labels[inside], sizes)
    draw_numbers(axes, frame, points, centroids, sizes)
    _draw_legend(figure, layout, sizes, noise)
    return figure


def _spread_single_component(coordinates: NDArray[np.float32], n_components: int) -> Points:
    """Return the points to draw; a single component is spread upwards, to show how dense it is."""
    points = coordinates.astype(np.float64)
    if n_components < 2:
        points[:, 1] = np.random.default_rng(0).uniform(-1, 1, len(points))
    return points


def _describe_title(n_components: int) -> str:
    """Return what the plot shows."""
    which = "first principal component" if n_components < 2 else "first two principal components"
    return f"Image clusters: {which}"


def describe_limits(total: int, drawn: int, outside: int) -> list[str]:
    """Return a line on what the plot leaves out or moves, none where it shows every image."""
    notes = []
    if drawn < total:
        notes.append(f"{drawn:,} of {total:,} images drawn, evenly from each cluster")
    if outside:
        verb = "lies" if outside == 1 else "lie"
        notes.append(f"{outside:,} {verb} beyond the frame: triangles at its edge")
    return ["; ".join(notes)] if notes else []


def describe_axis(component: int, shares: NDArray[np.float64]) -> str:
    """Return a component's name with its share of the variance."""
    if component > len(shares):
        return "Spread at random, to show how dense the points are"
    share = show_share(float(shares[component - 1]))
    return f"Principal component {component}" + (f" ({share} of variance)" if share else "")


def _place_plane(
    figure: Figure, layout: _Layout, frame: Frame, shares: NDArray[np.float64]
) -> Axes:
    """Add the plane with its two labelled axes."""
    axes = place_axes(figure, LEFT_PIXELS, layout.top, layout.width, layout.height)
    axes.set(xlim=(frame.low[0], frame.high[0]), ylim=(frame.low[1], frame.high[1]))
    for component, axis in enumerate((axes.xaxis, axes.yaxis), start=1):
        axis.set_major_locator(MaxNLocator(6))
        axis.set_label_text(describe_axis(component, shares), **make_font(BODY))
        formatter = ScalarFormatter()
        formatter.set_powerlimits((-3, 5))
        axis.set_major_formatter(formatter)
    middle = PLANE_BOTTOM_PIXELS + layout.height / 2
    axes.yaxis.set_label_coords(LABEL_PIXELS, middle, IdentityTransform())
    if len(shares) < 2:
        axes.tick_params(left=False, labelleft=False)
    return axes


def _draw_legend(figure: Figure, layout: _Layout, sizes: NDArray[np.intp], noise: int) -> None:
    """List the clusters with their markers and sizes, right of the plane."""
    row_pixels = layout.height / (LEGEND_ROWS + 2)
    for column in range(layout.legend_columns):
        x = layout.legend_left + column * LEGEND_COLUMN_PIXELS
        y = layout.top + row_pixels / 2
        write(figure, x + LEGEND_NAME_PIXELS, y, "Cluster", size=SMALL, color=GREY)
        write(figure, x + LEGEND_COUNT_PIXELS, y, "Images", size=SMALL, color=GREY, ha="right")
    for (column, row), label, name, size in _make_entries(sizes, noise):
        x = layout.legend_left + column * LEGEND_COLUMN_PIXELS
        y = layout.top + (row + 1.5) * row_pixels
        mark = make_markers(np.array([[x + 14.0, figure.bbox.height - y]]), 17, **find_look(label))
        mark.set_transform(IdentityTransform())
        figure.add_artist(mark)
        write(figure, x + LEGEND_NAME_PIXELS, y, name)
        write(figure, x + LEGEND_COUNT_PIXELS, y, f"{size:,}", ha="right")


def _make_entries(
    sizes: NDArray[np.intp], noise: int
) -> list[tuple[tuple[int, int], int, str, int]]:
    """Return column and row, label, name and images of each entry; the last row is the rest's."""
    named = enumerate(sizes[:MAX_NAMED].tolist())
    entries = [(divmod(label, LEGEND_ROWS), label, str(label), size) for label, size in named]
    if len(sizes) > MAX_NAMED:
        entries.append(((1, LEGEND_ROWS), MAX_NAMED, "rest", int(sizes[MAX_NAMED:].sum())))
    if noise:
        entries.append(((0, LEGEND_ROWS), NOISE, "none", noise))
    return entries
