"""The plots in a report: those that add to the map and the clusters."""

import struct
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from shoal.shared.findings import PlotName

PLOT_TITLES = {
    PlotName.SCATTER: "Each image by the first two principal components, coloured by cluster",
    PlotName.SIZES: "Images in each cluster",
    PlotName.VARIANCE: "Variance that the principal components explain",
    PlotName.CHOICE: "How the number of clusters was chosen",
}
# The map shows what the scatter plot does, and the clusters what the contact sheet does.
SHOWN = (PlotName.CHOICE, PlotName.SIZES, PlotName.VARIANCE)
# The place of width and height in a PNG.
HEADER = struct.Struct(">16x2I")


@dataclass(frozen=True)
class _Figure:
    """A plot as a data URL, with its width and height in pixels."""

    title: str
    source: str
    width: int
    height: int


def make_figures(plots: Mapping[str, bytes]) -> list[_Figure]:
    """Make figures of those ``plots`` (PNG by name) that a report shows."""
    return [_make_figure(PLOT_TITLES[name], plots[name]) for name in SHOWN if name in plots]


def _make_figure(title: str, png: bytes) -> _Figure:
    width, height = HEADER.unpack_from(png)
    return _Figure(title, f"data:image/png;base64,{b64encode(png).decode()}", width, height)
