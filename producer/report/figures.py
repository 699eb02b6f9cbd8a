"""The plots that say what the map and the clusters do not."""

import struct
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

TITLES = {
    "choice": "How the number of clusters was chosen",
    "sizes": "Images in each cluster",
    "variance": "Variance that the components explain",
}
# Where a PNG tells its width and height.
HEADER = struct.Struct(">16x2I")


@dataclass(frozen=True)
class _Figure:
    """A plot, and the pixels that a page keeps free for it."""

    title: str
    source: str
    width: int
    height: int


def make_figures(plots: Mapping[str, bytes]) -> list[_Figure]:
    """Return the figures among ``plots``, PNG by name."""
    return [_make_figure(TITLES[name], plots[name]) for name in TITLES if name in plots]


def _make_figure(title: str, png: bytes) -> _Figure:
    """Return a PNG as a figure."""
    width, height = HEADER.unpack_from(png)
    return _Figure(title, f"data:image/png;base64,{b64encode(png).decode()}", width, height)
