"""What is drawn in the plane of a scatter plot: points, points beyond the frame, numbers."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import IdentityTransform
from numpy.typing import NDArray

from shoal.worker.plots.points import Frame, Points, spread_apart
from shoal.worker.plots.style import (
    INK,
    MAX_NAMED,
    find_colour,
    find_marker,
    make_font,
    make_markers,
)

COVERED = 0.25
MIN_MARKER_PIXELS, MAX_MARKER_PIXELS = 4.5, 17.0
MAX_UNCOVERED = 100
TRIANGLE_PIXELS = 11.0
UNNAMED_COLOUR = "#c3c9d0"


def find_look(label: int) -> dict[str, str]:
    """Return marker and colour of a cluster; noise and those without a number are grey."""
    if label < 0 or label >= MAX_NAMED:
        return {"marker": "o", "markerfacecolor": UNNAMED_COLOUR}
    return {"marker": find_marker(label), "markerfacecolor": find_colour(label)}


def draw_points(axes: Axes, frame: Frame, points: Points, labels: NDArray[np.int32]) -> None:
    """Draw points in the mixed order in which they come, those beyond the frame at its edge."""
    looks = np.minimum(labels, MAX_NAMED)
    size, opacity = choose_marks(len(points), axes.bbox.width * axes.bbox.height)
    outside = frame.is_outside(points)
    inside = np.flatnonzero(~outside)
    # One artist for a cluster is fastest; a few rounds keep the last from hiding the others.
    rounds = int(np.clip(60 // len(np.unique(looks)), 2, 6)) if len(points) else 1
    for chunk in np.array_split(inside, rounds):
        for look in np.unique(looks[chunk])[::-1].tolist():
            chosen = points[chunk[looks[chunk] == look]]
            axes.add_artist(make_markers(chosen, size, alpha=opacity, **find_look(look)))
    _draw_outside(axes, frame, points[outside], looks[outside])


def choose_marks(count: int, area_pixels: float) -> tuple[float, float]:
    """Choose width and opacity of markers: the more of them, the smaller and the fainter."""
    count = max(1, count)
    width = np.clip(np.sqrt(COVERED * area_pixels / count), MIN_MARKER_PIXELS, MAX_MARKER_PIXELS)
    return float(width), float(np.clip(1.25 - 0.17 * np.log10(count), 0.5, 0.9))


def _draw_outside(axes: Axes, frame: Frame, points: Points, looks: NDArray[np.int32]) -> None:
    """Draw points beyond the frame as triangles at its edge, pointing to where they are."""
    places = frame.clamp(points)
    right, up = (points > frame.high).T
    left = points[:, 0] < frame.low[0]
    directions = np.select([right, left, up], [">", "<", "^"], "v")
    for look, direction in sorted(set(zip(looks.tolist(), directions.tolist(), strict=True))):
        chosen = places[(looks == look) & (directions == direction)]
        style = find_look(look) | {"marker": direction}
        axes.add_artist(make_markers(chosen, TRIANGLE_PIXELS, alpha=0.8, clip_on=False, **style))


def draw_numbers(
    axes: Axes, frame: Frame, points: Points, centroids: Points, sizes: NDArray[np.intp]
) -> None:
    """Print each cluster's number at its centroid, or near it where something else is.

    That is another number, or one of a few points: many points may be covered.
    """
    named = np.flatnonzero(sizes[:MAX_NAMED])
    box = np.array([axes.bbox.width, axes.bbox.height])
    room = 40.0 if len(named) <= 20 else 34.0
    wanted = frame.scale(frame.clamp(centroids[named])) * box
    few = points if len(points) <= MAX_UNCOVERED else points[:0]
    settled = spread_apart(wanted, frame.scale(frame.clamp(few)) * box, room, box)
    corner = np.array([axes.bbox.x0, axes.bbox.y0])
    for label, start, end in zip(named.tolist(), wanted + corner, settled + corner, strict=True):
        if not np.array_equal(start, end):
            _draw_leader(axes, start, end)
        _draw_number(axes, end, label, room - 4)


def _draw_leader(axes: Axes, start: NDArray[np.float64], end: NDArray[np.float64]) -> None:
    """Draw a thin line from a centroid to its number, in the figure's pixels."""
    line = make_markers(np.stack([start, end]), 7, marker="o", markerfacecolor=INK, markevery=[0])
    line.set(linestyle="-", linewidth=0.9, color=INK, zorder=4, transform=IdentityTransform())
    axes.add_artist(line)


def _draw_number(axes: Axes, place: NDArray[np.float64], label: int, size: float) -> None:
    """Draw a cluster's number in a disc ``size`` pixels wide, in the figure's pixels."""
    look = {"marker": "o", "markerfacecolor": "white", "markeredgecolor": find_colour(label)}
    disc = make_markers(place[np.newaxis], size, **look | {"markeredgewidth": 2})
    disc.set(zorder=5, transform=IdentityTransform())
    axes.add_artist(disc)
    font = make_font(9 if size > 32 else 8) | {"weight": "bold", "zorder": 6}
    centred = {"ha": "center", "va": "center_baseline", "transform": IdentityTransform()}
    x, y = place.tolist()
    axes.text(x, y, str(label), **font | centred)
