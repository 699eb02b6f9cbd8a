"""The look that all plots share: canvas, palette, type, and words for numbers.

Everything is placed in pixels from the upper left corner: no text is cut, and no layout engine
has to draw the figure a second time to find out.
"""

from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.palette import COLOURS as COLOURS
from shoal.shared.palette import MAX_NAMED as MAX_NAMED
from shoal.shared.palette import colour_number, shape_number
from shoal.shared.text import show_count

WIDTH_PIXELS = 1500
MARGIN_PIXELS = 48
HEADER_PIXELS = 134
LINE_PIXELS = 34
# Below the last row, and from the left edge to the axis' label and to the axis.
BOTTOM_PIXELS = 30
LABEL_PIXELS = 36
LEFT_PIXELS = 150
PIXELS_PER_INCH = 150
POINTS_PER_PIXEL = 72 / PIXELS_PER_INCH

INK, GREY, FAINT = "#1f2328", "#59636e", "#d9dee3"
TITLE, BODY, SMALL = 15.0, 10.0, 9.0

MARKERS = ("o", "^", "s", "D", "v", "P", "X", "p")


def find_colour(label: int) -> str:
    """Return a cluster's colour; it comes again every eight clusters, with another marker."""
    return COLOURS[colour_number(label)]


def find_marker(label: int) -> str:
    """Return a cluster's marker, the same for eight clusters in a row."""
    return MARKERS[shape_number(label)]


def make_figure(height_pixels: int, title: str, *notes: str) -> Figure:
    """Make a white figure of the common width, headed by its title and grey lines below it."""
    size = (WIDTH_PIXELS / PIXELS_PER_INCH, height_pixels / PIXELS_PER_INCH)
    figure = Figure(figsize=size, dpi=PIXELS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)
    write(figure, MARGIN_PIXELS, 44, title, size=TITLE, weight="bold")
    for line, note in enumerate(notes):
        write(figure, MARGIN_PIXELS, 88 + line * LINE_PIXELS, note, color=GREY)
    return figure


def place_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a place given in pixels, with quiet spines, ticks and grid."""
    whole_width, whole_height = figure.bbox.width, figure.bbox.height
    box = (left / whole_width, 1 - (top + height) / whole_height)
    axes = figure.add_axes((*box, width / whole_width, height / whole_height), facecolor="white")
    axes.tick_params(labelsize=SMALL, labelcolor=GREY, color=FAINT, length=4, width=0.8)
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[:].set(color=FAINT, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def make_markers(points: NDArray[np.float64], size: float, **look: Any) -> Line2D:
    """Make markers at points of shape (n, 2), ``size`` pixels wide."""
    edge = {"markeredgewidth": 0.4 if size > 6 else 0, "markeredgecolor": "white"}
    width = {"markersize": size * POINTS_PER_PIXEL}
    return Line2D(*points.T, linestyle="none", **edge | width | look)


def write(figure: Figure, x: float, y: float, words: str, size: float = BODY, **look: Any) -> Text:
    """Write words with their left end at ``x`` and their middle at ``y``, in pixels."""
    place = (x / figure.bbox.width, 1 - y / figure.bbox.height)
    return figure.text(*place, words, **make_font(size) | {"va": "center_baseline"} | look)


def make_font(size: float) -> dict[str, Any]:
    """Return the look of a text; the font is the one that ships with matplotlib."""
    return {"fontsize": size, "fontfamily": "DejaVu Sans", "color": INK, "parse_math": False}


def draw(figure: Figure) -> Image.Image:
    """Return a figure as an RGB picture."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels: NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())
    return Image.fromarray(pixels).convert("RGB")


def encode_png(picture: Image.Image) -> bytes:
    """Return a picture as PNG; other threads go on meanwhile, as they do not while one draws."""
    stream = BytesIO()
    # Higher levels take twice the time for a few percent of the bytes.
    picture.save(stream, "png", compress_level=1)
    return stream.getvalue()


def describe_clusters(sizes: NDArray[np.intp], done: str = "shown", noise: int = 0) -> str:
    """Return how many images are in how many clusters, and what is done to only 40 of these.

    ``noise`` are the images in none.
    """
    words = f"{show_count(int(sizes.sum()), 'image')} in {show_count(len(sizes), 'cluster')}"
    words += f", the first {MAX_NAMED} {done}" if len(sizes) > MAX_NAMED else ""
    return words + (f"; {show_count(noise, 'image')} in none" if noise else "")
