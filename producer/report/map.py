"""The map: similar images close together, as the browser draws it."""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shoal.producer.report.points import PATHS_BYTES, Points, pack_names
from shoal.producer.results.names import group_clusters
from shoal.shared.findings import NOISE, ClusterSummary, Summary
from shoal.shared.palette import REST, choose_named, colour_number, shape_number
from shoal.shared.text import show_share

Floats: TypeAlias = NDArray[np.float32]

# As in an SVG path, 10 units wide; in the same order as the shapes in the plots.
SHAPES = (
    "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0-5 0Z",  # circle
    "M0-5L5 4H-5Z",  # triangle
    "M-4.5-4.5h9v9h-9Z",  # square
    "M0-6L4.5 0L0 6L-4.5 0Z",  # diamond
    "M0 5L5-4H-5Z",  # triangle, upside down
    "M-1-5h2v4h4v2h-4v4h-2v-4h-4v-2h4Z",  # plus
    "M-3.5-5L0-1.5L3.5-5L5-3.5L1.5 0L5 3.5L3.5 5L0 1.5L-3.5 5L-5 3.5L-1.5 0L-5-3.5Z",  # x
    "M0-6L1.5-2H6L2.3.8L3.7 5L0 2.4L-3.7 5L-2.3.8L-6-2H-1.5Z",  # star
)
# Empty space around the points, as a share of their extent.
PADDING = 0.05
LIKENESS, COMPONENTS = "likeness", "components"


@dataclass(frozen=True)
class Layer:
    """The points of a cluster, or of all clusters of the same name.

    Attributes:
        labels: Numbers of its clusters, the largest cluster first; -1 for images in no cluster, -2
            for all clusters beyond the 40 largest.
        size: Number of its images, whether they are on the map or not.
        colour: Number of its colour in the palette.
        shape: Its shape, as an SVG path.
        name: The name that a user gave to its clusters; "" if none.
    """

    labels: tuple[int, ...]
    size: int
    colour: int
    shape: str
    name: str = ""

    @property
    def title(self) -> str:
        """What people call it, such as "Cluster 3: kitchen"."""
        if self.labels[0] < 0:
            return "No cluster" if self.labels[0] == NOISE else "Other clusters"
        numbers = " + ".join(map(str, self.labels))
        return f"Cluster {numbers}" + (f": {self.name}" if self.name else "")


@dataclass(frozen=True)
class Map:
    """What a browser needs to draw a map.

    Attributes:
        layers: Layers that can be shown and hidden, in drawing order.
        item: Where the points are, as JSON that is safe within HTML.
        names: Paths of the points, as JSON that is safe within HTML.
        n_points: Number of points.
        cut_to: Characters that long paths were cut to; None if none was cut.
        views: How the points can be arranged, the one that is drawn first: ``"likeness"``,
            ``"components"`` or both.
        axes: Names of the two components, to the right and upwards.
    """

    layers: list[Layer]
    item: str
    names: str
    n_points: int
    cut_to: int | None
    views: list[str]
    axes: list[str]


def make_map(points: Points, summary: Summary, paths_bytes: int = PATHS_BYTES) -> Map:
    """Make the map of ``points``; all clusters beyond the 40 largest share a layer.

    Args:
        points: The points.
        summary: Of their job.
        paths_bytes: Most that the paths of all points may take; 0 leaves them out.
    """
    packed, most = pack_names(points.paths, paths_bytes) if paths_bytes else ([], 0)
    longest = max(map(len, points.paths), default=0)
    item = make_item(points, summary)
    return Map(
        layers=make_layers(summary),
        item=to_script(item),
        names=to_script(packed) if paths_bytes else "",
        n_points=len(points),
        cut_to=most if 0 < most < longest else None,
        views=list(item["places"]),
        axes=[_name_axis(number, summary.explained_variance_ratio) for number in (1, 2)],
    )


def make_layers(summary: Summary) -> list[Layer]:
    """Make the layers of a map: no cluster, other clusters, then the 40 largest by label.

    Clusters that a user gave the same name are one, with the colour of the largest of them.
    """
    groups = group_clusters(summary.clusters)
    chosen = choose_named([sum(cluster.size for cluster in group) for group in groups])
    layers = [_make_layer(groups[number]) for number in chosen]
    rest = sum(c.size for c in summary.clusters) - sum(layer.size for layer in layers)
    others = ((NOISE, summary.noise), (REST, rest))
    return [*(Layer((label,), size, label, SHAPES[0]) for label, size in others if size), *layers]


def _make_layer(clusters: Sequence[ClusterSummary]) -> Layer:
    ordered = sorted(clusters, key=lambda cluster: (-cluster.size, cluster.label))
    label = ordered[0].label
    return Layer(
        labels=tuple(cluster.label for cluster in ordered),
        size=sum(cluster.size for cluster in ordered),
        colour=colour_number(label),
        shape=SHAPES[shape_number(label)],
        name=ordered[0].name,
    )


def choose_largest(clusters: Sequence[ClusterSummary]) -> list[ClusterSummary]:
    """Choose the 40 largest clusters, and sort them by label."""
    return [clusters[label] for label in choose_named([cluster.size for cluster in clusters])]


def make_item(points: Points, summary: Summary) -> dict[str, Any]:
    """Make what a browser needs of the points: numbers in base64, each of the machine's usual form.

    In each arrangement, the map is 1 wide and 1 high.
    """
    layers = make_layers(summary)
    return {
        "places": {
            name: [_encode(_fit(np.array(column, np.float32))) for column in columns]
            for name, columns in _arrange(points, summary).items()
        },
        "layers": _encode(_number_layers(points, layers)),
        "shapes": [layer.shape for layer in layers],
        "colours": [layer.colour for layer in layers],
        "starts": points.starts,
        "numbers": [after - before for before, after in pairwise([-1, *points.numbers])],
        "copies": points.copies,
    }


def _arrange(points: Points, summary: Summary) -> dict[str, tuple[Sequence[float], ...]]:
    """Return the arrangements of the points that there are, each with both coordinates."""
    if not summary.map_landmarks:
        return {COMPONENTS: (points.xs, points.ys)}
    return {LIKENESS: (points.xs, points.ys), COMPONENTS: (points.pc1s, points.pc2s)}


def _number_layers(points: Points, layers: Sequence[Layer]) -> NDArray[np.uint8]:
    """Return the number of the layer of each point."""
    numbers = {label: number for number, layer in enumerate(layers) for label in layer.labels}
    rest = numbers.get(REST, 0)
    return np.array([numbers.get(label, rest) for label in points.labels], np.uint8)


def _fit(values: Floats) -> Floats:
    """Scale coordinates to 0 to 1, with some space around them."""
    if not len(values):
        return values
    low, high = float(values.min()), float(values.max())
    room = PADDING * (high - low) or 1.0
    scaled = (values.astype(np.float64) - low + room) / (high - low + 2 * room)
    return scaled.astype(np.float32)


def _encode(values: NDArray[Any]) -> str:
    return b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()


def _name_axis(component: int, ratio: Sequence[float]) -> str:
    """Name an axis after its component and that component's share of the variance."""
    share = f" · {show_share(ratio[component - 1])}" if component <= len(ratio) else ""
    return f"Component {component}{share}"


def to_script(value: Any) -> str:
    """Return JSON that is safe between two script tags, whatever strings it has."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
