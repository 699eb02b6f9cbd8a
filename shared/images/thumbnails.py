"""Thumbnails: which images have one, and where it is on the sheet of its batch.

A sheet is one JPEG of small tiles, each of which is a whole image made square. The JPEG's comment
has a byte for each tile, the ratio of width to height that the image had: drawn with it, the image
is not distorted. Workers make a sheet and the producer cuts it up again, both by the rules here.
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import log2

TILE_PIXELS = 32
SHEET_COLUMNS = 32
# A map of more points is neither read nor opened: beyond it, images are sampled evenly.
MOST_POINTS = 50_000
# All sheets of a job, however many images it has. A third more as base64, and a report with its
# 50,000 paths is still below 15 MB.
SHEETS_BYTES = 6_600_000
# JPEG qualities, and the bytes that a tile of a photograph takes with each.
TILE_BYTES = {75: 310, 50: 205, 30: 150, 20: 115, 10: 75}
# The byte for a square, and how much more it is for an image of twice the width.
SQUARE, DOUBLE = 128, 24
# The markers of a JPEG that begin its comment, and its picture.
COMMENT, SCAN = b"\xff\xfe", b"\xff\xda"


def encode_ratio(width: int, height: int) -> int:
    """Encode a ratio of width to height in a byte, to 1.5 %; one beyond 1:40 is cut to that."""
    return min(max(round(SQUARE + DOUBLE * log2(width / height)), 0), 255)


def decode_ratio(code: int) -> float:
    """Decode the ratio of width to height that ``encode_ratio`` encoded."""
    return float(2 ** ((code - SQUARE) / DOUBLE))


def read_ratios(sheet: bytes, n_tiles: int) -> bytes:
    """Read the ratio of each tile of a sheet, a byte for each; squares if the sheet has none."""
    # A segment is its marker and its length, which counts itself but not the marker.
    start = 2
    while (marker := sheet[start : start + 2]) not in {COMMENT, SCAN, b""}:
        start += 2 + int.from_bytes(sheet[start + 2 : start + 4])
    end = start + 2 + int.from_bytes(sheet[start + 2 : start + 4])
    ratios = sheet[start + 4 : end] if marker == COMMENT else b""
    return ratios if len(ratios) == n_tiles else bytes([SQUARE]) * n_tiles


def sample_positions(batch: int, n_images: int, total: int) -> list[int]:
    """Return the positions in a batch of the images that have a tile: all, or an even share.

    Args:
        batch: Number of the batch.
        n_images: Images of the batch.
        total: Images of the job, which alone decides what share of them is shown.
    """
    if total <= MOST_POINTS:
        return list(range(n_images))
    # All batches but the last few have the same size.
    first = batch * n_images
    # Of all images up to one, as many have a tile as this share of them.
    before, until = (image * MOST_POINTS // total for image in (first, first + n_images))
    # The n-th tile is that of the image which completes it.
    return [-(-n * total // MOST_POINTS) - 1 - first for n in range(before + 1, until + 1)]


def list_shown(
    batch: int, n_images: int, total: int, failed: Sequence[int], given: Sequence[int] | None
) -> Sequence[int]:
    """Return the numbers of the rows of a batch whose images have a tile.

    Args:
        batch: Number of the batch.
        n_images: Images of the batch.
        total: Images of the job.
        failed: Positions of those that have no row, ascending.
        given: These numbers, if they are not those of ``sample_positions``.
    """
    if given is not None:
        return given
    rows = []
    for position in sample_positions(batch, n_images, total):
        before = bisect_left(failed, position)
        if position not in failed[before : before + 1]:
            rows.append(position - before)
    return rows


def tile_budget_bytes(total: int) -> float:
    """Return how many bytes a tile may take on average in a job of ``total`` images."""
    return SHEETS_BYTES / min(total, MOST_POINTS)


def choose_qualities(total: int) -> list[int]:
    """Choose the JPEG qualities to try, best first; the first suffices for most sheets."""
    budget = tile_budget_bytes(total)
    qualities = [quality for quality, size in TILE_BYTES.items() if size <= budget]
    return qualities or [min(TILE_BYTES)]


def estimate_sheet_bytes(total: int) -> int:
    """Estimate the bytes of all sheets of a job of ``total`` photographs."""
    # A tenth more: headers, and sheets of more detail than most.
    return min(total, MOST_POINTS) * TILE_BYTES[choose_qualities(total)[0]] * 11 // 10
