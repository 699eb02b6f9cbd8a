"""Thumbnails: which images have one, and where it is on its batch's page.

Producer and workers agree here, without a word between them.
"""

TILE_PIXELS = 32
# Tiles side by side on a page.
COLUMNS = 32
# A map of more points is neither read nor opened: beyond it, images are sampled evenly.
MOST_POINTS = 50_000
# All pages of a job, however many images it has. A third more as base64, and a report with its
# 50,000 paths is still below 15 MB.
PAGES_BYTES = 6_600_000
# JPEG qualities, and the bytes that a tile of a photograph takes with each.
TILE_BYTES = {75: 310, 50: 205, 30: 150, 20: 115, 10: 75}


def sample_positions(batch: int, n_images: int, total: int) -> list[int]:
    """Return the places in a batch whose images are shown: all, or an even share of a huge job.

    Args:
        batch: Number of the batch.
        n_images: Images of the batch.
        total: Images of the job; the share depends on nothing else.
    """
    if total <= MOST_POINTS:
        return list(range(n_images))
    # But for the last few, batches are of one size.
    first = batch * n_images

    def count(image: int) -> int:
        return image * MOST_POINTS // total

    return [n for n in range(n_images) if count(first + n + 1) > count(first + n)]


def tile_budget_bytes(total: int) -> float:
    """Return the bytes that a tile may take on average, in a job of ``total`` images."""
    return PAGES_BYTES / min(total, MOST_POINTS)


def choose_qualities(total: int) -> list[int]:
    """Return the JPEG qualities to try, best first, so that most jobs encode a page once."""
    budget = tile_budget_bytes(total)
    qualities = [quality for quality, size in TILE_BYTES.items() if size <= budget]
    return qualities or [min(TILE_BYTES)]


def count_page_bytes(total: int) -> int:
    """Return about how many bytes the pages of a job of ``total`` photographs take."""
    # A tenth more: headers, and pages of more detail than most.
    return min(total, MOST_POINTS) * TILE_BYTES[choose_qualities(total)[0]] * 11 // 10
