"""Thumbnails: a batch's images as small tiles on one JPEG sheet, for a map to show."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.images.thumbnails import (
    SHEET_COLUMNS,
    SQUARE,
    TILE_PIXELS,
    choose_qualities,
    read_ratios,
    tile_budget_bytes,
)

# An image as a square, and the ratio of width to height that it had, of ``encode_ratio``.
TILE_DTYPE = np.dtype([("pixels", np.uint8, (TILE_PIXELS, TILE_PIXELS, 3)), ("ratio", np.uint8)])
NO_TILES = np.empty(0, TILE_DTYPE)

# As many of an image's width and height are enough for a tile.
ENOUGH_PIXELS = 64

Pixels = NDArray[np.uint8]
Tiles = NDArray[np.void]


def make_tiles(images: Pixels, ratios: Pixels | int = SQUARE) -> Tiles:
    """Make the tiles of images.

    Args:
        images: Shape (n, size, size, 3).
        ratios: Of width to height, before they were made square, of ``encode_ratio``; shape (n,).

    Returns:
        Of TILE_DTYPE, shape (n,).
    """
    tiles = np.empty(len(images), TILE_DTYPE)
    if len(images):
        tiles["pixels"], tiles["ratio"] = shrink(images), ratios
    return tiles


def shrink(images: Pixels) -> Pixels:
    """Shrink one or more images of shape (n, size, size, 3) to 32 pixels."""
    # Every second or third pixel of large images is enough, and takes a quarter of the time.
    step = max(images.shape[1] // ENOUGH_PIXELS, 1)
    images = np.ascontiguousarray(images[:, ::step, ::step])
    n_images, size = images.shape[:2]
    if size == TILE_PIXELS:
        return images
    # All images in one column and one call: a box of pixels never spans two images.
    column = Image.fromarray(images.reshape(n_images * size, size, 3))
    shape = (TILE_PIXELS, n_images * TILE_PIXELS)
    small = column.resize(shape, Image.Resampling.BOX, reducing_gap=1.0)
    return np.asarray(small, np.uint8).reshape(-1, TILE_PIXELS, TILE_PIXELS, 3)


def make_sheet(tiles: Tiles, total: int) -> bytes:
    """Encode tiles as one JPEG, row by row with 32 in each, with their ratios as its comment.

    Args:
        tiles: Of TILE_DTYPE, shape (n,).
        total: Images of the job: the more there are, the fewer bytes a tile may take.

    Returns:
        The sheet; empty if there are no tiles.
    """
    if not len(tiles):
        return b""
    sheet, ratios = Image.fromarray(lay_out(tiles["pixels"])), tiles["ratio"].tobytes()
    most = tile_budget_bytes(total) * len(tiles)
    for quality in choose_qualities(total):
        encoded = encode(sheet, quality, ratios)
        if len(encoded) <= most:
            break
    return encoded


def lay_out(tiles: Pixels) -> Pixels:
    """Lay pixels of tiles out as one picture, shape (height, width, 3), black where none is."""
    columns = min(len(tiles), SHEET_COLUMNS)
    rows = -(-len(tiles) // columns)
    grid = np.zeros((rows * columns, *tiles.shape[1:]), np.uint8)
    grid[: len(tiles)] = tiles
    grid = grid.reshape(rows, columns, *tiles.shape[1:]).swapaxes(1, 2)
    return grid.reshape(rows * TILE_PIXELS, columns * TILE_PIXELS, 3)


def cut_sheet(sheet: bytes, n_tiles: int) -> Tiles:
    """Cut a sheet of ``make_sheet`` into its tiles, of TILE_DTYPE and shape (n_tiles,)."""
    pixels = np.asarray(Image.open(BytesIO(sheet)), np.uint8)
    rows, columns = (side // TILE_PIXELS for side in pixels.shape[:2])
    grid = pixels.reshape(rows, TILE_PIXELS, columns, TILE_PIXELS, 3).swapaxes(1, 2)
    tiles = np.empty(n_tiles, TILE_DTYPE)
    tiles["pixels"] = grid.reshape(-1, TILE_PIXELS, TILE_PIXELS, 3)[:n_tiles]
    tiles["ratio"] = np.frombuffer(read_ratios(sheet, n_tiles), np.uint8)
    return tiles


def encode(picture: Image.Image, quality: int = 75, comment: bytes | None = None) -> bytes:
    """Encode a picture as JPEG, with its colours at half the resolution."""
    stream = BytesIO()
    # JPEG then codes colours in squares of 16 pixels, which no two tiles share.
    picture.save(stream, "jpeg", quality=quality, subsampling="4:2:0", comment=comment)
    return stream.getvalue()
