"""All images in the plane of the first two principal components."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from shoal.shared.findings import NOISE
from shoal.shared.palette import choose_named
from shoal.shared.text import show_share
from shoal.worker.plots.marks import REST, draw_numbers, draw_points, make_markers
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


def plot_scatter(
    coordinates: NDArray[np.float32],
    labels: NDArray[np.int32],
    sizes: NDArray[np.intp],
    explained_variance_ratio: ArrayLike,
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
    frame, rows = choose_frame(points), sample_rows(labels)
    limits = describe_limits(len(labels), len(rows), int(frame.is_outside(points).sum()))
    notes = [describe_clusters(sizes, "numbered", noise), *limits]
    figure = make_figure(HEIGHT_PIXELS, _describe_title(len(shares)), *notes)
    entries = _list_entries(sizes, noise)
    axes = _add_plane(figure, len(notes), 1 + (len(entries) > LEGEND_ROWS), shares)
    axes.set(xlim=(frame.low[0], frame.high[0]), ylim=(frame.low[1], frame.high[1]))
    has_look = np.isin(labels[rows], [NOISE, *choose_named(sizes.tolist())])
    draw_points(axes, frame, points[rows], np.where(has_look, labels[rows], REST))
    inside = labels >= 0 if noise else slice(None)
    centroids = measure_centroids(points[inside], labels[inside], sizes)
    draw_numbers(axes, frame, points, centroids, sizes)
    _write_legend(figure, axes, entries)
    return figure


def _spread_single_component(coordinates: NDArray[np.float32], n_components: int) -> Points:
    """Spread a single component upwards, to show how dense the points are."""
    points = coordinates.astype(np.float64)
    if n_components < 2:
        points[:, 1] = np.random.default_rng(0).uniform(-1, 1, len(points))
    return points


def _describe_title(n_components: int) -> str:
    which = "first principal component" if n_components < 2 else "first two principal components"
    return f"Image clusters: {which}"


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
    share = show_share(float(shares[component - 1]))
    return f"Principal component {component}" + (f" ({share} of variance)" if share else "")


def _add_plane(
    figure: Figure, n_notes: int, legend_columns: int, shares: NDArray[np.float64]
) -> Axes:
    """Add the axes, with room for the notes above and the legend at the right."""
    top = HEADER_PIXELS + LINE_PIXELS * (n_notes - 1)
    right = MARGIN_PIXELS + LEGEND_COLUMN_PIXELS * legend_columns
    (axes,) = add_axes(figure, [describe_axis(2, shares)], describe_axis(1, shares), top, right)
    axes.locator_params(nbins=6)
    axes.ticklabel_format(scilimits=(-3, 5))
    if len(shares) < 2:
        axes.tick_params(left=False, labelleft=False)
    return axes


def _list_entries(sizes: NDArray[np.intp], noise: int) -> list[tuple[int, str, int]]:
    """List label, name and number of images of each entry of the legend."""
    named = choose_named(sizes.tolist())
    entries = [(label, str(label), int(sizes[label])) for label in named]
    if rest := int(sizes.sum() - sizes[named].sum()):
        entries.append((REST, "rest", rest))
    return [*entries, (NOISE, "none", noise)] if noise else entries


def _write_legend(figure: Figure, axes: Axes, entries: list[tuple[int, str, int]]) -> None:
    """List the clusters with their markers and sizes at the right of the plane."""
    # Not matplotlib's legend: it takes 30 ms longer for 40 clusters, and aligns no numbers.
    for index, (label, name, size) in enumerate(entries):
        column, row = divmod(index, LEGEND_ROWS)
        x = axes.bbox.x1 + MARGIN_PIXELS / 2 + column * LEGEND_COLUMN_PIXELS
        y = HEIGHT_PIXELS - axes.bbox.y1 + (row + 1.5) * LEGEND_ROW_PIXELS
        mark = make_markers(np.array([[x + 14, HEIGHT_PIXELS - y]]), 17, label, transform=None)
        figure.add_artist(mark)
        write(figure, x + 36, y, name)
        write(figure, x + 208, y, f"{size:,}", ha="right")
        if row == 0:
            header = y - LEGEND_ROW_PIXELS
            write(figure, x + 36, header, "Cluster", SMALL, color=GREY)
            write(figure, x + 208, header, "Images", SMALL, color=GREY, ha="right")
