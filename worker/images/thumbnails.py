"""Thumbnails: a batch's images as small tiles on one JPEG sheet, for a map to show."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.images.thumbnails import COLUMNS, TILE_PIXELS, choose_qualities, tile_budget_bytes

# Of an image's width and height, for a tile.
ENOUGH_PIXELS = 64

Pixels = NDArray[np.uint8]


def make_tiles(images: Pixels) -> Pixels:
    """Return images of shape (n, size, size, 3) as tiles of shape (n, 32, 32, 3)."""
    if not len(images):
        return _no_tiles()
    # Of large images every second or third pixel is enough, and takes a quarter of the time.
    step = max(images.shape[1] // ENOUGH_PIXELS, 1)
    images = np.ascontiguousarray(images[:, ::step, ::step])
    n_images, size = images.shape[:2]
    if size == TILE_PIXELS:
        return images
    # All in one column and in one call; a box never mixes two images whose borders it meets.
    column = Image.fromarray(images.reshape(n_images * size, size, 3))
    shape = (TILE_PIXELS, n_images * TILE_PIXELS)
    small = column.resize(shape, Image.Resampling.BOX, reducing_gap=1.0)
    return np.asarray(small, np.uint8).reshape(-1, TILE_PIXELS, TILE_PIXELS, 3)


def _no_tiles() -> Pixels:
    """Return tiles of no image, of shape (0, 32, 32, 3)."""
    return np.empty((0, TILE_PIXELS, TILE_PIXELS, 3), np.uint8)


def make_sheet(tiles: Pixels, total: int) -> bytes:
    """Return tiles as one JPEG, row by row with 32 in each; nothing for no tiles.

    Args:
        tiles: Of shape (n, 32, 32, 3).
        total: Images of the job: the more they are, the fewer bytes each may take.
    """
    if not len(tiles):
        return b""
    sheet = Image.fromarray(lay_out(tiles))
    most = tile_budget_bytes(total) * len(tiles)
    for quality in choose_qualities(total):
        encoded = encode(sheet, quality)
        if len(encoded) <= most:
            break
    return encoded


def lay_out(tiles: Pixels) -> Pixels:
    """Return tiles as one picture of shape (height, width, 3), black where there is none."""
    columns = min(len(tiles), COLUMNS)
    rows = -(-len(tiles) // columns)
    grid = np.zeros((rows * columns, *tiles.shape[1:]), np.uint8)
    grid[: len(tiles)] = tiles
    grid = grid.reshape(rows, columns, *tiles.shape[1:]).swapaxes(1, 2)
    return grid.reshape(rows * TILE_PIXELS, columns * TILE_PIXELS, 3)


def cut_sheet(sheet: bytes, n_tiles: int) -> Pixels:
    """Return the tiles of a sheet that ``make_sheet`` made, of shape (n_tiles, 32, 32, 3)."""
    pixels = np.asarray(Image.open(BytesIO(sheet)), np.uint8)
    rows, columns = (side // TILE_PIXELS for side in pixels.shape[:2])
    grid = pixels.reshape(rows, TILE_PIXELS, columns, TILE_PIXELS, 3).swapaxes(1, 2)
    return grid.reshape(-1, TILE_PIXELS, TILE_PIXELS, 3)[:n_tiles]


def encode(picture: Image.Image, quality: int = 75) -> bytes:
    """Return a picture as JPEG, its colours at half its resolution."""
    stream = BytesIO()
    # Colours are kept in squares of 16 pixels, so that no tile takes any from its neighbour.
    picture.save(stream, "jpeg", quality=quality, subsampling="4:2:0")
    return stream.getvalue()
