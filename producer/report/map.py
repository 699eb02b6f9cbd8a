"""The map: similar images close together, drawn by Bokeh in the browser."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from bokeh.embed import json_item
from bokeh.models import HoverTool, PanTool, Range1d, TapTool, WheelZoomTool
from bokeh.plotting import figure
from bokeh.util.paths import bokehjs_path
from numpy.typing import NDArray

from shoal.producer.report.points import Points, pack_names
from shoal.shared.findings import NOISE, ClusterSummary, Summary
from shoal.shared.palette import COLOURS, REST, choose_named, colour_number, shape_number
from shoal.shared.text import show_share

Floats: TypeAlias = NDArray[np.float32]

# In the same order as the shapes in the plots.
SHAPES = (
    *("circle", "triangle", "square", "diamond"),
    *("inverted_triangle", "plus", "x", "star"),
)
GREYS = {NOISE: "#aeb5bc", REST: "#737c86"}
# Colours of text and lines; the style sheet has the same.
QUIET, LINE = "#59636e", "#d9dee3"
# Empty space around the points, as a share of their extent.
PADDING = 0.05
# Most points, with the width in pixels and the opacity that so many are drawn with.
POINT_STYLES = ((500, 10, 0.85), (3_000, 8, 0.75), (10_000, 6, 0.65), (2**31, 5, 0.5))
# Most points that are drawn while the map moves: without a graphics card they take 10 ms.
MOVED_POINTS = 1_000


@dataclass(frozen=True)
class _Layer:
    """The points of one cluster.

    Attributes:
        label: Number of the cluster; -1 for images in no cluster, -2 for all clusters beyond the
            40 largest.
        size: Number of its images, whether they are on the map or not.
        colour: Number of its colour in the palette.
        shape: Name of its shape.
        name: The name that a user gave to the cluster; "" if none.
    """

    label: int
    size: int
    colour: int
    shape: str
    name: str = ""


@dataclass(frozen=True)
class _View:
    """An arrangement of the points.

    Attributes:
        name: ``"likeness"`` or ``"components"``.
        x: Column of the points, and the ends of its axis.
        y: The same, upwards.
    """

    name: str
    x: tuple[str, float, float]
    y: tuple[str, float, float]


@dataclass(frozen=True)
class _Map:
    """What a browser needs to draw a map.

    Attributes:
        layers: Layers that can be shown and hidden, in drawing order.
        item: Bokeh's document, as JSON that is safe within HTML.
        points: Paths and batches of the points, as JSON that is safe within HTML.
        n_points: Number of points.
        cut_to: Characters that long paths were cut to; None if none was cut.
        views: How the points can be arranged, the one that is drawn first; one, if the map is the
            first two components.
    """

    layers: list[_Layer]
    item: str
    points: str
    n_points: int
    cut_to: int | None
    views: list["_View"]


def make_map(points: Points, summary: Summary) -> _Map:
    """Make the map of ``points``; all clusters beyond the 40 largest share a layer."""
    layers, views = make_layers(summary), _make_views(points, summary)
    packed, most = pack_names(points.paths)
    longest = max(map(len, points.paths), default=0)
    return _Map(
        layers=layers,
        item=_to_script(_draw(points, layers, views, summary.explained_variance_ratio)),
        points=_to_script({"paths": packed, "starts": points.starts}),
        n_points=len(points),
        cut_to=most if most < longest else None,
        views=views,
    )


def make_layers(summary: Summary) -> list[_Layer]:
    """Make the layers of a map: no cluster, other clusters, then the 40 largest by label."""
    largest = choose_largest(summary.clusters)
    layers = [
        _Layer(c.label, c.size, colour_number(c.label), SHAPES[shape_number(c.label)], c.name)
        for c in largest
    ]
    rest = sum(c.size for c in summary.clusters) - sum(c.size for c in largest)
    others = ((NOISE, summary.noise), (REST, rest))
    return [*(_Layer(label, size, label, "circle") for label, size in others if size), *layers]


def choose_largest(clusters: Sequence[ClusterSummary]) -> list[ClusterSummary]:
    """Choose the 40 largest clusters, and sort them by label."""
    return [clusters[label] for label in choose_named([cluster.size for cluster in clusters])]


def _make_views(points: Points, summary: Summary) -> list[_View]:
    """Make the arrangements of the points that there are."""
    views = [("likeness", "x", "y"), ("components", "pc1", "pc2")]
    if not summary.map_landmarks:
        views = [("components", "x", "y")]
    columns = _make_columns(points)
    return [_View(name, *((c, *_find_ends(columns[c])) for c in pair)) for name, *pair in views]


def _make_columns(points: Points) -> dict[str, Floats]:
    columns = {"x": points.xs, "y": points.ys, "pc1": points.pc1s, "pc2": points.pc2s}
    return {name: np.array(values, np.float32) for name, values in columns.items()}


def _draw(
    points: Points, layers: Sequence[_Layer], views: Sequence[_View], ratio: Sequence[float]
) -> Any:
    """Draw the map and return it as Bokeh's JSON document."""
    names = [name for view in views for name, *_ in (view.x, view.y)]
    columns = {name: column for name, column in _make_columns(points).items() if name in names}
    plot = _make_plot(views[0], ratio)
    if len(points) > MOVED_POINTS:
        plot.update(lod_threshold=0, lod_factor=math.ceil(len(points) / MOVED_POINTS))
    _, size, alpha = next(look for look in POINT_STYLES if len(points) <= look[0])
    labels = np.array(points.labels, np.int64)
    named = [layer.label for layer in layers]
    drawn = np.where(np.isin(labels, named), labels, REST)
    for layer in layers:
        place = np.flatnonzero(drawn == layer.label).astype(np.int32)
        colour = COLOURS[layer.colour] if layer.colour >= 0 else GREYS[layer.colour]
        plot.scatter(
            "x",
            "y",
            source={"point": place, **{name: values[place] for name, values in columns.items()}},
            name=str(layer.label),
            marker=layer.shape,
            size=size,
            fill_color=colour,
            line_color=colour,
            fill_alpha=alpha,
            line_alpha=alpha,
            nonselection_alpha=alpha,
        )
    return json_item(plot)


def _make_plot(view: _View, ratio: Sequence[float]) -> figure:
    """Make an empty plot that pans, zooms, and reports the point under the pointer."""
    wheel = WheelZoomTool()
    plot = figure(
        x_range=Range1d(start=view.x[1], end=view.x[2]),
        y_range=Range1d(start=view.y[1], end=view.y[2]),
        output_backend="webgl",
        sizing_mode="stretch_both",
        lod_threshold=None,
        toolbar_location=None,
        min_border=8,
        tools=[PanTool(), wheel, TapTool(), HoverTool(tooltips=None)],
        active_scroll=wheel,
        x_axis_label=_name_axis(1, ratio),
        y_axis_label=_name_axis(2, ratio),
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
    )
    for axis in (*plot.xaxis, *plot.yaxis):
        axis.update(axis_line_color=None, major_tick_line_color=None, minor_tick_line_color=None)
        axis.update(axis_label_text_color=QUIET, major_label_text_color=QUIET)
    plot.grid.grid_line_color = LINE
    for ruled in (*plot.xaxis, *plot.yaxis, *plot.grid):
        ruled.visible = view.name == "components"  # by likeness, numbers would mean nothing
    return plot


def _name_axis(component: int, ratio: Sequence[float]) -> str:
    """Name an axis after its component and that component's share of the variance."""
    share = f" · {show_share(ratio[component - 1])}" if component <= len(ratio) else ""
    return f"Component {component}{share}"


def _find_ends(values: Floats) -> tuple[float, float]:
    """Return the ends of an axis: those of the values, with some space around them."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    room = PADDING * (high - low) or 1.0
    return low - room, high + room


def _to_script(value: Any) -> str:
    """Return JSON that is safe between two script tags, whatever strings it has."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


@cache
def bokeh_script() -> str:
    """Read the part of Bokeh's JavaScript that a map needs: 1.5 MB."""
    files = (Path(bokehjs_path()) / "js" / f"{name}.min.js" for name in ("bokeh", "bokeh-gl"))
    # It must not close the script element that it is in.
    return "\n".join(file.read_text(encoding="utf-8") for file in files).replace("</", "<\\/")
