"""The dominant colours of each cluster, from the thumbnails of its images."""

from collections import defaultdict
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shoal.producer.report.points import Points
from shoal.shared.images.thumbnails import TILE_PIXELS

COLOURS_SHOWN = 6
# Width and height that tiles are decoded to: a JPEG is decoded fastest at an eighth of its size.
PIXELS = TILE_PIXELS // 8

Pixels = NDArray[np.uint8]


def measure_colours(points: Points, sheets: Sequence[bytes]) -> dict[int, list[str]]:
    """Measure the dominant colours of each cluster by median cut (Heckbert 1982).

    Args:
        points: The images on the sheets, in the order of the sheets and their tiles.
        sheets: JPEG of the thumbnails of each batch; empty where there are none.

    Returns:
        By label, colours as "#rrggbb", the most common first.
    """
    parts: defaultdict[int, list[Pixels]] = defaultdict(list)
    labels = np.array(points.labels, np.int64)
    for sheet, (start, end) in zip(sheets, pairwise([*points.starts, len(points)]), strict=False):
        if sheet and end > start:
            tiles, own = _shrink_sheet(sheet, end - start), labels[start:end]
            for label in np.unique(own).tolist():
                parts[label].append(tiles[own == label])
    return {label: _pick_dominant(np.concatenate(tiles)) for label, tiles in parts.items()}


def _shrink_sheet(sheet: bytes, n_tiles: int) -> Pixels:
    """Decode the tiles of a sheet at an eighth of their width, shape (n_tiles, 4, 4, 3)."""
    picture = Image.open(BytesIO(sheet))
    picture.draft("RGB", (picture.width // 8, picture.height // 8))
    pixels = np.asarray(picture, np.uint8)
    rows, columns = (side // PIXELS for side in pixels.shape[:2])
    grid = pixels.reshape(rows, PIXELS, columns, PIXELS, 3).swapaxes(1, 2)
    return grid.reshape(-1, PIXELS, PIXELS, 3)[:n_tiles]


def _pick_dominant(tiles: Pixels) -> list[str]:
    """Return up to six dominant colours of tiles of shape (n, 4, 4, 3)."""
    picture = Image.fromarray(tiles.reshape(len(tiles), -1, 3))
    few = picture.quantize(COLOURS_SHOWN, Image.Quantize.MEDIANCUT).convert("RGB")
    counted = {
        colour: count for count, colour in few.getcolors() or () if isinstance(colour, tuple)
    }
    by_count = sorted(counted, key=lambda colour: (-counted[colour], colour))
    return [f"#{bytes(colour).hex()}" for colour in by_count]
