"""What each cluster looks like: a row of its most typical images; then those far from all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.text import show_count
from shoal.worker.plots.style import (
    BODY,
    BOTTOM_PIXELS,
    FAINT,
    GREY,
    HEADER_PIXELS,
    MARGIN_PIXELS,
    MAX_NAMED,
    SMALL,
    WIDTH_PIXELS,
    describe_clusters,
    draw,
    find_colour,
    make_figure,
    write,
)

Tile = NDArray[np.uint8] | None

CAPTION_PIXELS = 200
GAP_PIXELS = 8
SWATCH_PIXELS = 8
MAX_TILE_PIXELS = 150
MAX_TILES = 12
ONE_COLUMN_ROWS = 13
BLANK = 225


@dataclass(frozen=True)
class _Row:
    """Images side by side, and what is written and painted beside them."""

    title: str
    note: str
    colour: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class _Grid:
    """Where things are on the sheet, in pixels.

    Attributes:
        columns: Columns of rows: one, or two when there are many.
        lines: Rows below each other.
        tile_pixels: Width and height of an image.
    """

    columns: int
    lines: int
    tile_pixels: int

    @property
    def line_pixels(self) -> int:
        """Height of one row."""
        return self.tile_pixels + (2 * GAP_PIXELS if self.columns == 1 else GAP_PIXELS)

    def find_corner(self, place: int) -> tuple[int, int]:
        """Return the left and top of a row, under the sheet's header."""
        column, line = divmod(place, self.lines)
        return column * (WIDTH_PIXELS - MARGIN_PIXELS) // self.columns, line * self.line_pixels


class _Picture(Artist):
    """Pixels of shape (height, width, 3), copied ``top`` pixels below the figure's upper edge.

    matplotlib's own images are sampled and blended even in their own size, which takes 100 ms.
    """

    def __init__(self, pixels: NDArray[np.uint8], top: int) -> None:
        super().__init__()
        self.pixels = pixels
        self.top = top

    def draw(self, renderer: Any) -> None:
        """Copy the pixels onto the canvas of an Agg renderer."""
        height, width, _ = self.pixels.shape
        canvas = np.asarray(renderer.buffer_rgba())
        canvas[self.top : self.top + height, :width, :3] = self.pixels


def plot_contact_sheet(
    tiles: Sequence[Sequence[Tile]], sizes: NDArray[np.intp], outliers: Sequence[Tile] = ()
) -> Image.Image:
    """Return a picture with a row for each cluster: its number, its size, its typical images.

    Args:
        tiles: For each cluster, images of shape (size, size, 3), most typical first; ``None``
            stands for an image that cannot be had, and becomes a grey square.
        sizes: Images of each cluster, shape (n_clusters,).
        outliers: Images far from every centroid, farthest first: the last row.
    """
    return draw(make_contact_sheet_figure(tiles, sizes, outliers))


def make_contact_sheet_figure(
    tiles: Sequence[Sequence[Tile]], sizes: NDArray[np.intp], outliers: Sequence[Tile] = ()
) -> Figure:
    """Make the figure of ``plot_contact_sheet``; it ends after 40 clusters and says so."""
    rows = _make_rows(tiles, sizes, outliers)
    grid = _make_grid(len(rows), max((len(row.tiles) for row in rows), default=1))
    mosaic = _make_mosaic(rows, grid)
    figure = make_figure(
        HEADER_PIXELS + len(mosaic) + BOTTOM_PIXELS,
        "The most typical images of each cluster",
        describe_clusters(sizes),
    )
    figure.add_artist(_Picture(mosaic, HEADER_PIXELS))
    for place, row in enumerate(rows):
        _write_caption(figure, grid, place, row)
    return figure


def _make_rows(
    tiles: Sequence[Sequence[Tile]], sizes: NDArray[np.intp], outliers: Sequence[Tile]
) -> list[_Row]:
    """Return the rows of the sheet: clusters, then the outliers if there are any."""
    rows = [
        _Row(f"Cluster {label}", show_count(int(size), "image"), find_colour(label), shown)
        for label, (shown, size) in enumerate(zip(tiles[:MAX_NAMED], sizes, strict=False))
    ]
    far = [_Row("Outliers", "far from all", FAINT, outliers)] if len(outliers) else []
    return [replace(row, tiles=row.tiles[:MAX_TILES]) for row in rows + far]


def _make_grid(n_rows: int, tiles: int) -> _Grid:
    """Choose the largest tiles that fit side by side."""
    columns = 1 if n_rows <= ONE_COLUMN_ROWS else 2
    room = (WIDTH_PIXELS - MARGIN_PIXELS) // columns - MARGIN_PIXELS - CAPTION_PIXELS
    tile_pixels = min(MAX_TILE_PIXELS, room // max(1, tiles) - GAP_PIXELS)
    return _Grid(columns, -(-n_rows // columns), tile_pixels)


def _make_mosaic(rows: Sequence[_Row], grid: _Grid) -> NDArray[np.uint8]:
    """Lay all images and colour swatches out as one picture, shape (height, width, 3)."""
    size = grid.tile_pixels
    mosaic = np.full((grid.lines * grid.line_pixels, WIDTH_PIXELS, 3), 255, dtype=np.uint8)
    for place, row in enumerate(rows):
        left, top = grid.find_corner(place)
        left += MARGIN_PIXELS
        mosaic[top : top + size, left : left + SWATCH_PIXELS] = _parse_colour(row.colour)
        for position, tile in enumerate(row.tiles):
            x = left + CAPTION_PIXELS + position * (size + GAP_PIXELS)
            mosaic[top : top + size, x : x + size] = _resize_tile(tile, size)
    return mosaic


def _parse_colour(colour: str) -> list[int]:
    """Return red, green and blue of a colour such as "#0072b2"."""
    return list(bytes.fromhex(colour.removeprefix("#")))


def _resize_tile(tile: Tile, size: int) -> NDArray[np.uint8]:
    """Return a tile in the sheet's size, shape (size, size, 3)."""
    if tile is None:
        return np.full((size, size, 3), BLANK, dtype=np.uint8)
    resized = Image.fromarray(tile).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(resized, dtype=np.uint8)


def _write_caption(figure: Figure, grid: _Grid, place: int, row: _Row) -> None:
    """Write beside a row's images what they are."""
    left, top = grid.find_corner(place)
    x = left + MARGIN_PIXELS + SWATCH_PIXELS + 14
    middle = HEADER_PIXELS + top + grid.tile_pixels / 2
    title, note, apart = (BODY, SMALL, 15) if grid.columns == 1 else (SMALL, SMALL - 1, 12)
    write(figure, x, middle - apart, row.title, size=title, weight="bold")
    write(figure, x, middle + apart, row.note, size=note, color=GREY)
