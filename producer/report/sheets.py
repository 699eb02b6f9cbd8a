"""The sheets of thumbnails that a report has room for."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

# The HTML around a sheet.
FRAME_BYTES = 80


@dataclass(frozen=True)
class _Sheet:
    """The thumbnails of one batch: ``content`` is a JPEG in base64."""

    batch: int
    content: str


def choose_sheets(sheets: Sequence[bytes], room_bytes: int) -> list[_Sheet]:
    """Choose as many sheets as ``room_bytes`` allow, spread evenly over the batches."""
    present = [batch for batch, sheet in enumerate(sheets) if sheet]
    share = 1.0
    while True:
        chosen = _take_share(present, share)
        taken = sum(FRAME_BYTES + -(-len(sheets[batch]) // 3) * 4 for batch in chosen)
        if taken <= room_bytes or not chosen:
            return [_Sheet(batch, b64encode(sheets[batch]).decode()) for batch in chosen]
        share *= min(room_bytes / taken, 0.99)


def _take_share(batches: Sequence[int], share: float) -> list[int]:
    return [batch for n, batch in enumerate(batches) if int((n + 1) * share) > int(n * share)]
