"""All images in the plane of the first two principal components."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from shoal.shared.findings import NOISE
from shoal.shared.palette import choose_named
from shoal.shared.text import describe_plane, show_share
from shoal.worker.plots.marks import REST, draw_numbers, draw_points, make_markers
from shoal.worker.plots.names import NO_NAMES, Names, fit_name
from shoal.worker.plots.points import (
    Points,
    choose_frame,
    measure_centroids,
    sample_rows,
)
from shoal.worker.plots.style import (
    GREY,
    HEADER_PIXELS,
    LINE_PIXELS,
    MARGIN_PIXELS,
    SMALL,
    add_axes,
    describe_clusters,
    draw,
    make_figure,
    write,
)

HEIGHT_PIXELS = 1130
LEGEND_ROWS = 21  # of which two columns hold 40 clusters, the rest and noise
LEGEND_ROW_PIXELS, LEGEND_COLUMN_PIXELS = 38, 236
# Room for names, if there are any: of one column, and of each of two.
NAME_PIXELS, NARROW_NAME_PIXELS, NAME_LEFT_PIXELS = 200, 150, 78
LEFT_PIXELS = 84  # of the plane, whose axes have no numbers


def plot_scatter(
    coordinates: NDArray[np.float32],
    labels: NDArray[np.int32],
    sizes: NDArray[np.intp],
    explained_variance_ratio: ArrayLike,
    names: Names = NO_NAMES,
) -> Image.Image:
    """Draw the images' first two principal components, coloured by cluster.

    Of more than 20,000 images an even sample is drawn; points far from all others are drawn at
    the edge. The plot says so in both cases.

    Args:
        coordinates: First and second component of each image, shape (n_samples, 2). Where only
            one was computed, the second is ignored and the points are spread at random.
        labels: Cluster of each image, -1 for noise; shape (n_samples,).
        sizes: Images of each cluster, shape (n_clusters,).
        explained_variance_ratio: Share of the variance of each component, shape (n_components,).
        names: What users called clusters.
    """
    return draw(make_scatter_figure(coordinates, labels, sizes, explained_variance_ratio, names))


def make_scatter_figure(
    coordinates: NDArray[np.float32],
    labels: NDArray[np.int32],
    sizes: NDArray[np.intp],
    explained_variance_ratio: ArrayLike,
    names: Names = NO_NAMES,
) -> Figure:
    """Make the figure of ``plot_scatter``."""
    shares = np.nan_to_num(np.asarray(explained_variance_ratio, dtype=np.float64))
    points = _spread_single_component(coordinates, len(shares))
    noise = len(labels) - int(sizes.sum())
    frame, rows = choose_frame(points), sample_rows(labels)
    limits = describe_limits(len(labels), len(rows), int(frame.is_outside(points).sum()))
    notes = [describe_clusters(sizes, "numbered", noise), *limits]
    figure = make_figure(HEIGHT_PIXELS, describe_plane(shares.tolist()), *notes)
    legend = _Legend(_list_entries(sizes, noise), names)
    axes = _add_plane(figure, len(notes), sum(legend.widths), shares)
    axes.set(xlim=(frame.low[0], frame.high[0]), ylim=(frame.low[1], frame.high[1]))
    has_look = np.isin(labels[rows], [NOISE, *choose_named(sizes.tolist())])
    draw_points(axes, frame, points[rows], np.where(has_look, labels[rows], REST))
    inside = labels >= 0 if noise else slice(None)
    centroids = measure_centroids(points[inside], labels[inside], sizes)
    draw_numbers(axes, frame, points, centroids, sizes)
    legend.write(figure, axes)
    return figure


def _spread_single_component(coordinates: NDArray[np.float32], n_components: int) -> Points:
    """Spread a single component upwards, to show how dense the points are."""
    points = coordinates.astype(np.float64)
    if n_components < 2:
        points[:, 1] = np.random.default_rng(0).uniform(-1, 1, len(points))
    return points


def describe_limits(total: int, drawn: int, outside: int) -> list[str]:
    """Say in one line what the plot leaves out or moves; no line if it shows every image."""
    notes = []
    if drawn < total:
        notes.append(f"{drawn:,} of {total:,} images drawn, evenly from each cluster")
    if outside:
        verb = "lies" if outside == 1 else "lie"
        notes.append(f"{outside:,} {verb} beyond the frame: triangles at its edge")
    return ["; ".join(notes)] if notes else []


def describe_axis(component: int, shares: NDArray[np.float64]) -> str:
    """Name a component, with its share of the variance."""
    if component > len(shares):
        return "Spread at random, to show how dense the points are"
    share = float(shares[component - 1])
    return f"Principal component {component}" + (
        f" ({show_share(share)} of variance)" * (share > 0)
    )


def _add_plane(
    figure: Figure, n_notes: int, legend_pixels: int, shares: NDArray[np.float64]
) -> Axes:
    """Add the axes, with room for the notes above and the legend at the right."""
    top = HEADER_PIXELS + LINE_PIXELS * (n_notes - 1)
    labels = [describe_axis(2, shares)], describe_axis(1, shares)
    (axes,) = add_axes(figure, *labels, top, MARGIN_PIXELS + legend_pixels, LEFT_PIXELS)
    # The numbers of a component mean nothing: only its directions and distances do.
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    return axes


def _list_entries(sizes: NDArray[np.intp], noise: int) -> list[tuple[int, str, int]]:
    """List label, number and images of each entry of the legend."""
    named = choose_named(sizes.tolist())
    entries = [(label, str(label), int(sizes[label])) for label in named]
    if rest := int(sizes.sum() - sizes[named].sum()):
        entries.append((REST, "rest", rest))
    return [*entries, (NOISE, "none", noise)] if noise else entries


class _Legend:
    """Lists the clusters with their markers, names and sizes at the right of the plane.

    Not matplotlib's legend: it takes 30 ms longer for 40 clusters, and aligns no numbers.
    """

    def __init__(self, entries: Sequence[tuple[int, str, int]], names: Names) -> None:
        starts = range(0, len(entries), LEGEND_ROWS)
        self.columns = [entries[start : start + LEGEND_ROWS] for start in starts]
        self.room = NAME_PIXELS if len(self.columns) == 1 else NARROW_NAME_PIXELS
        fitted = {label: fit_name(names.get(label, ""), self.room) for label, *_ in entries}
        self.names = {label: name for label, name in fitted.items() if name}

    @property
    def widths(self) -> list[int]:
        """Width of each column in pixels: those without names need less."""
        return [
            LEGEND_COLUMN_PIXELS + self.room * any(label in self.names for label, *_ in column)
            for column in self.columns
        ]

    def write(self, figure: Figure, axes: Axes) -> None:
        """Write the legend into a figure."""
        left = axes.bbox.x1 + MARGIN_PIXELS / 2
        top = HEIGHT_PIXELS - axes.bbox.y1 + LEGEND_ROW_PIXELS / 2
        for column, width in zip(self.columns, self.widths, strict=True):
            right = left + width - 28
            write(figure, left + 36, top, "Cluster", SMALL, color=GREY)
            write(figure, right, top, "Images", SMALL, color=GREY, ha="right")
            for row, (label, number, size) in enumerate(column, 1):
                y = top + row * LEGEND_ROW_PIXELS
                place = np.array([[left + 14, HEIGHT_PIXELS - y]])
                figure.add_artist(make_markers(place, 17, label, transform=None))
                write(figure, left + 36, y, number)
                if label in self.names:
                    write(figure, left + NAME_LEFT_PIXELS, y, self.names[label], SMALL)
                write(figure, right, y, f"{size:,}", ha="right")
            left += width
