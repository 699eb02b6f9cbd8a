"""The pages of thumbnails that a report has room for."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

# What surrounds a page in the file.
FRAME_BYTES = 80


@dataclass(frozen=True)
class _Page:
    """The thumbnails of one batch: ``content`` is its JPEG in base64."""

    batch: int
    content: str


def choose_pages(pages: Sequence[bytes], room_bytes: int) -> list[_Page]:
    """Return the pages by batch, an even share of them if all would take too much room."""
    present = [batch for batch, page in enumerate(pages) if page]
    share = 1.0
    while True:
        chosen = _take_share(present, share)
        taken = sum(FRAME_BYTES + -(-len(pages[batch]) // 3) * 4 for batch in chosen)
        if taken <= room_bytes or not chosen:
            return [_Page(batch, b64encode(pages[batch]).decode()) for batch in chosen]
        share *= min(room_bytes / taken, 0.99)


def _take_share(batches: Sequence[int], share: float) -> list[int]:
    """Return an even share of ``batches``."""
    return [batch for n, batch in enumerate(batches) if int((n + 1) * share) > int(n * share)]
