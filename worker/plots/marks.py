"""What is drawn in the plane of a scatter plot: points, points beyond the frame, numbers."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from shoal.shared.palette import choose_named
from shoal.worker.plots.points import Frame, Points, spread_apart
from shoal.worker.plots.style import (
    INK,
    POINTS_PER_PIXEL,
    find_colour,
    find_marker,
    make_font,
)

# Of a single point. n points have 1 / √n of it, so that they cover a quarter of the plane.
WIDTH_OF_ONE_PIXELS = 480.0
MIN_MARKER_PIXELS, MAX_MARKER_PIXELS = 4.5, 17.0
TRIANGLE_PIXELS = 11.0
DISC_PIXELS = 32.0
DISC_DIGITS = 2.6  # numbers with more digits are smaller
NUMBER_ROOM = 0.046  # of the width and height of the plane
MAX_UNCOVERED = 60  # with 40 numbers, enough free places remain
UNNAMED_COLOUR = "#c3c9d0"
REST = 2**31 - 1  # stands for all clusters that have no colour of their own


def make_markers(points: Points, size: float, label: int, **look: Any) -> Line2D:
    """Make a cluster's markers at points of shape (n, 2), ``size`` pixels wide.

    Noise and clusters without a number are grey.
    """
    unnamed = label < 0 or label == REST
    style = {
        "marker": "o" if unnamed else find_marker(label),
        "markerfacecolor": UNNAMED_COLOUR if unnamed else find_colour(label),
        "markeredgewidth": 0.4 if size > 6 else 0,
        "markeredgecolor": "white",
        "markersize": size * POINTS_PER_PIXEL,
    }
    return Line2D(*points.T, linestyle="none", **style | look)


def draw_points(axes: Axes, frame: Frame, points: Points, looks: NDArray[np.int32]) -> None:
    """Draw points in the mixed order in which they come, those beyond the frame at its edge.

    The look of a point is its label, or ``REST``.
    """
    size, opacity = choose_marks(len(points))
    outside = frame.is_outside(points)
    inside = np.flatnonzero(~outside)
    # One artist for a cluster is fastest; a few rounds keep the last from hiding the others.
    rounds = int(np.clip(60 // len(np.unique(looks)), 2, 6)) if len(points) else 1
    for chunk in np.array_split(inside, rounds):
        for look in np.unique(looks[chunk])[::-1].tolist():
            chosen = points[chunk[looks[chunk] == look]]
            axes.add_artist(make_markers(chosen, size, look, alpha=opacity))
    _draw_outside(axes, frame, points[outside], looks[outside])


def choose_marks(count: int) -> tuple[float, float]:
    """Choose width, in pixels, and opacity of markers: the more, the smaller and the fainter."""
    count = max(1, count)
    width = np.clip(WIDTH_OF_ONE_PIXELS / np.sqrt(count), MIN_MARKER_PIXELS, MAX_MARKER_PIXELS)
    return float(width), float(np.clip(1.25 - 0.17 * np.log10(count), 0.5, 0.9))


def _draw_outside(axes: Axes, frame: Frame, points: Points, looks: NDArray[np.int32]) -> None:
    """Draw points beyond the frame as triangles at its edge, pointing to where they are."""
    places = frame.clamp(points)
    right, up = (points > frame.high).T
    left = points[:, 0] < frame.low[0]
    directions = np.select([right, left, up], [">", "<", "^"], "v")
    for look, direction in sorted(set(zip(looks.tolist(), directions.tolist(), strict=True))):
        chosen = places[(looks == look) & (directions == direction)]
        style = {"marker": direction, "alpha": 0.8, "clip_on": False}
        axes.add_artist(make_markers(chosen, TRIANGLE_PIXELS, look, **style))


def draw_numbers(
    axes: Axes, frame: Frame, points: Points, centroids: Points, sizes: NDArray[np.intp]
) -> None:
    """Print each cluster's number at its centroid, or near it if the place is taken.

    It is taken by another number, or by one of a few points: many points may be covered.
    """
    named = [label for label in choose_named(sizes.tolist()) if sizes[label]]
    wanted = frame.scale(frame.clamp(centroids[named]))
    few = points if len(points) <= MAX_UNCOVERED else points[:0]
    settled = spread_apart(wanted, frame.scale(frame.clamp(few)), NUMBER_ROOM)
    leaders = LineCollection(list(np.stack([wanted, settled], axis=1)), colors=INK, linewidths=0.9)
    leaders.set(transform=axes.transAxes, zorder=4)
    axes.add_artist(leaders)
    _print_numbers(axes, named, settled)


def _print_numbers(axes: Axes, labels: list[int], places: Points) -> None:
    """Print labels in white discs, at places in fractions of the axes, shape (n, 2)."""
    x, y = places.T
    size = (DISC_PIXELS * POINTS_PER_PIXEL) ** 2
    colours = [find_colour(label) for label in labels]
    inside = axes.transAxes
    # One artist for all discs, all of one size: boxes around the texts take 8 ms more for 40.
    axes.scatter(x, y, size, "white", edgecolors=colours, linewidths=2, transform=inside, zorder=5)
    look = {"weight": "bold", "ha": "center", "va": "center_baseline", "zorder": 6}
    for label, (left, bottom) in zip(labels, places.tolist(), strict=True):
        number = str(label)
        font = make_font(9 * min(1, DISC_DIGITS / len(number)))
        axes.text(left, bottom, number, **font | look, transform=inside)
