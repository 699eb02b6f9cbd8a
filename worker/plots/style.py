"""The look that all plots share: canvas, header, axes, palette and type."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.palette import COLOURS, MAX_NAMED, colour_number, shape_number
from shoal.shared.text import show_count

WIDTH_PIXELS = 1500
MARGIN_PIXELS = 48
HEADER_PIXELS = 134
LINE_PIXELS = 34
LAST_ROW_PIXELS = 30  # below the last row of a plot of rows
LEFT_PIXELS, BOTTOM_PIXELS, Y_LABEL_PIXELS = 150, 106, 36
PANELS_PIXELS = 890
PIXELS_PER_INCH = 150
POINTS_PER_PIXEL = 72 / PIXELS_PER_INCH

FAMILY = "DejaVu Sans"  # comes with matplotlib
INK, GREY, FAINT = "#1f2328", "#59636e", "#d9dee3"
TITLE, BODY, SMALL = 15.0, 10.0, 9.0

MARKERS = ("o", "^", "s", "D", "v", "P", "X", "p")


def find_colour(label: int) -> str:
    """Look up a cluster's colour on white; it comes again every eight, with another marker."""
    return COLOURS[colour_number(label)]


def find_marker(label: int) -> str:
    """Look up a cluster's marker, the same for eight clusters in a row."""
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


def add_axes(
    figure: Figure,
    y_labels: Sequence[str],
    x_label: str,
    top: float = HEADER_PIXELS + 20,
    right: float = 60,
    left: float = LEFT_PIXELS,
) -> list[Axes]:
    """Add axes below each other, one for each y label, with quiet spines, ticks and grid.

    ``top``, ``right`` and ``left`` are the pixels that they leave free there.
    """
    # Fixed margins: constrained layout looks the same here and takes 40 ms to find them out.
    width, height = figure.bbox.size
    margins = left / width, BOTTOM_PIXELS / height, 1 - right / width, 1 - top / height
    figure.subplots_adjust(*margins, hspace=0.1)
    column: list[Axes] = figure.subplots(len(y_labels), sharex=True, squeeze=False)[:, 0].tolist()
    for axes, label in zip(column, y_labels, strict=True):
        axes.set_ylabel(label, **make_font(BODY))
        axes.yaxis.set_label_coords((Y_LABEL_PIXELS - left) / axes.bbox.width, 0.5)
        axes.locator_params(axis="y", nbins=5)
        axes.tick_params(labelsize=SMALL, labelcolor=GREY, color=FAINT, length=4, width=0.8)
        axes.grid(color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines[:].set(color=FAINT, linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    column[-1].set_xlabel(x_label, **make_font(BODY))
    return column


def write(figure: Figure, x: float, y: float, words: str, size: float = BODY, **look: Any) -> Text:
    """Write words with their left end at ``x`` and their middle at ``y``.

    Both are in pixels from the upper left corner of the figure.
    """
    place = (x / figure.bbox.width, 1 - y / figure.bbox.height)
    return figure.text(*place, words, **make_font(size) | {"va": "center_baseline"} | look)


def make_font(size: float) -> dict[str, Any]:
    """Make the look of a text of ``size`` points; the font comes with matplotlib."""
    return {"fontsize": size, "fontfamily": FAMILY, "color": INK, "parse_math": False}


def draw(figure: Figure) -> Image.Image:
    """Draw a figure as an RGB picture."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels: NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())
    return Image.fromarray(pixels).convert("RGB")


def encode_png(picture: Image.Image) -> bytes:
    """Encode a picture as PNG; other threads can run meanwhile, unlike while one draws."""
    stream = BytesIO()
    # Higher levels take twice the time for a few percent of the bytes.
    picture.save(stream, "png", compress_level=1)
    return stream.getvalue()


def describe_clusters(sizes: NDArray[np.intp], done: str = "shown", noise: int = 0) -> str:
    """Say how many images are in how many clusters, and what is done to only 40 of these.

    ``noise`` is the number of images in no cluster.
    """
    words = f"{show_count(int(sizes.sum()), 'image')} in {show_count(len(sizes), 'cluster')}"
    words += describe_shown(len(sizes), done)
    return words + (f"; {show_count(noise, 'image')} in none" if noise else "")


def describe_shown(n_clusters: int, done: str) -> str:
    """Say what is done to only 40 of so many clusters; "" if it is done to all."""
    return f", the {MAX_NAMED} largest {done}" if n_clusters > MAX_NAMED else ""
