"""What each cluster looks like: a row of its most typical images; then those far from all."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from shoal.shared.images.frames import cut_to_fill, scale_to_fit
from shoal.shared.palette import choose_named
from shoal.shared.text import show_copies, show_count
from shoal.worker.plots.names import NO_NAMES, Names, fit_name
from shoal.worker.plots.style import (
    BODY,
    FAINT,
    GREY,
    HEADER_PIXELS,
    LAST_ROW_PIXELS,
    MARGIN_PIXELS,
    SMALL,
    WIDTH_PIXELS,
    describe_clusters,
    draw,
    find_colour,
    make_figure,
    write,
)

CAPTION_PIXELS = 200
NAME_PIXELS = 168
GAP_PIXELS = 8
SWATCH_PIXELS = 8
MAX_TILE_PIXELS = 150
MAX_TILES = 12
ONE_COLUMN_ROWS = 13
BLANK, PAPER, HAIRLINE = "#e1e1e1", "#f6f8fa", "#d0d7de"
BADGE_TEXT_PIXELS, BADGE_PIXELS, BADGE_ROOM = 14, 20, 4
BADGE_INK, BADGE_PAPER = "#1f2328", "white"  # readable on any picture


Box: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True)
class Tile:
    """An image on the sheet.

    Attributes:
        picture: RGB, of any form; ``None``, for one that is missing, becomes a grey square.
        copies: How many copies of it there are beside it: the tile says so.
        is_whole: Whether all of it is shown, whatever its form.
    """

    picture: Image.Image | None
    copies: int = 0
    is_whole: bool = False


@dataclass(frozen=True)
class Row:
    """Images side by side, with their caption and the colour of its swatch."""

    title: str
    note: str
    colour: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class _Grid:
    """Positions on the sheet, in pixels.

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

    @property
    def height(self) -> int:
        """Height of the sheet."""
        return HEADER_PIXELS + self.lines * self.line_pixels + LAST_ROW_PIXELS

    def place_row(self, index: int) -> tuple[int, int]:
        """Left and top edge of a row."""
        column, line = divmod(index, self.lines)
        left = MARGIN_PIXELS + column * (WIDTH_PIXELS - MARGIN_PIXELS) // self.columns
        return left, HEADER_PIXELS + line * self.line_pixels


def plot_contact_sheet(
    tiles: Sequence[Sequence[Tile]],
    sizes: NDArray[np.intp],
    outliers: Sequence[Tile] = (),
    names: Names = NO_NAMES,
) -> Image.Image:
    """Draw a row for each cluster: its number, its size, its typical images.

    The sheet has the 40 largest clusters and says so.

    Args:
        tiles: For each cluster, its images, most typical first.
        sizes: Images of each cluster, shape (n_clusters,).
        outliers: Images far from every centroid, farthest first: the last row.
        names: What users called clusters.
    """
    rows = make_rows(tiles, sizes, outliers, names)
    sheet = draw(make_captions_figure(rows, sizes))
    grid = _make_grid(rows)
    # Pillow copies the images: matplotlib blends even those drawn in their own size, in 100 ms.
    for index, row in enumerate(rows):
        _paste_tiles(sheet, grid, index, row)
    return sheet


def make_rows(
    tiles: Sequence[Sequence[Tile]],
    sizes: NDArray[np.intp],
    outliers: Sequence[Tile],
    names: Names = NO_NAMES,
) -> list[Row]:
    """List the rows of the sheet: clusters, then the outliers if there are any."""
    named = choose_named(sizes.tolist())
    font_size, _ = _choose_font_sizes(_choose_columns(len(named) + (len(outliers) > 0)))
    fitted = {n: fit_name(names.get(n, ""), NAME_PIXELS, font_size, bold=True) for n in named}
    rows = [
        Row(*_make_caption(label, int(sizes[label]), name), find_colour(label), tiles[label])
        for label, name in fitted.items()
    ]
    return rows + ([Row("Outliers", "far from all", FAINT, outliers)] if len(outliers) else [])


def _choose_columns(n_rows: int) -> int:
    return 1 if n_rows <= ONE_COLUMN_ROWS else 2


def _choose_font_sizes(columns: int) -> tuple[float, float]:
    """Choose the font sizes of titles and notes, in points."""
    return (BODY, SMALL) if columns == 1 else (SMALL, SMALL - 1)


def _make_caption(label: int, size: int, name: str) -> tuple[str, str]:
    """Make title and note of a cluster's row: its name if it has one, its number, its images."""
    number, images = f"Cluster {label}", show_count(size, "image")
    return (name, f"{label} · {images}") if name else (number, images)


def make_captions_figure(rows: Sequence[Row], sizes: NDArray[np.intp]) -> Figure:
    """Make the sheet's figure without its images."""
    grid = _make_grid(rows)
    title = f"{show_count(len(sizes), 'cluster')}, each by its most typical images"
    figure = make_figure(grid.height, title, describe_clusters(sizes))
    for index, row in enumerate(rows):
        _write_caption(figure, grid, index, row)
    return figure


def _make_grid(rows: Sequence[Row]) -> _Grid:
    """Choose the largest tiles that fit side by side."""
    columns = _choose_columns(len(rows))
    longest = max((len(row.tiles[:MAX_TILES]) for row in rows), default=1)
    room = (WIDTH_PIXELS - MARGIN_PIXELS) // columns - MARGIN_PIXELS - CAPTION_PIXELS
    tile_pixels = min(MAX_TILE_PIXELS, room // max(1, longest) - GAP_PIXELS)
    return _Grid(columns, -(-len(rows) // columns), tile_pixels)


def _write_caption(figure: Figure, grid: _Grid, index: int, row: Row) -> None:
    left, top = grid.place_row(index)
    x = left + SWATCH_PIXELS + 14
    middle = top + grid.tile_pixels / 2
    title, note = _choose_font_sizes(grid.columns)
    apart = 15 if grid.columns == 1 else 12
    write(figure, x, middle - apart, row.title, size=title, weight="bold")
    write(figure, x, middle + apart, row.note, size=note, color=GREY)


def _paste_tiles(sheet: Image.Image, grid: _Grid, index: int, row: Row) -> None:
    left, top = grid.place_row(index)
    size = grid.tile_pixels
    sheet.paste(row.colour, (left, top, left + SWATCH_PIXELS, top + size))
    for position, tile in enumerate(row.tiles[:MAX_TILES]):
        x = left + CAPTION_PIXELS + position * (size + GAP_PIXELS)
        sheet.paste(_make_picture(tile, size), (x, top))


def _make_picture(tile: Tile, size: int) -> Image.Image:
    """Make the picture of a tile, with how many copies it has in its lower right corner."""
    picture = Image.new("RGB", (size, size), BLANK)
    if tile.picture:
        part = (0, 0, *tile.picture.size) if tile.is_whole else cut_to_fill(tile.picture.size)
        picture = _frame(tile.picture, part, size)
    pen = ImageDraw.Draw(picture)
    if tile.copies:
        words, font = choose_badge(tile.copies, size), _find_badge_font()
        left, top = size - _measure_badge(words), size - BADGE_PIXELS
        pen.rectangle((left, top, size, size), BADGE_PAPER)
        place = (left + BADGE_ROOM, top + BADGE_PIXELS / 2)
        pen.text(place, words, BADGE_INK, font, anchor="lm")
    pen.rectangle((0, 0, size - 1, size - 1), outline=HAIRLINE)  # white pictures are seen by it
    return picture


def _frame(picture: Image.Image, part: Box, side: int) -> Image.Image:
    """Show a part of a picture in a square, in its form."""
    size = scale_to_fit((part[2] - part[0], part[3] - part[1]), side)
    small = picture.resize(size, Image.Resampling.BICUBIC, part)
    if size == (side, side):
        return small
    square = Image.new("RGB", (side, side), PAPER)
    square.paste(small, ((side - size[0]) // 2, (side - size[1]) // 2))
    return square


def choose_badge(copies: int, room: int) -> str:
    """Choose the longest words for so many copies that are no wider than ``room`` pixels."""
    full = show_copies(copies)
    shorter = [full.split()[0], *([f"+{copies // 1000}k"] if copies >= 1000 else [])]
    return next((words for words in (full, *shorter) if _measure_badge(words) <= room), shorter[-1])


def _measure_badge(words: str) -> int:
    return round(_find_badge_font().getlength(words)) + 2 * BADGE_ROOM


@cache
def _find_badge_font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont("DejaVu Sans"), BADGE_TEXT_PIXELS)
