"""The plots in a report: those that add to the map and the clusters."""

import struct
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

TITLES = {
    "choice": "How the number of clusters was chosen",
    "sizes": "Images in each cluster",
    "variance": "Variance that the components explain",
}
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
    return [_make_figure(TITLES[name], plots[name]) for name in TITLES if name in plots]


def _make_figure(title: str, png: bytes) -> _Figure:
    width, height = HEADER.unpack_from(png)
    return _Figure(title, f"data:image/png;base64,{b64encode(png).decode()}", width, height)
