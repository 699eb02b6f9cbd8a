"""Frames: how a picture of any form is shown in a square, without being distorted."""

from typing import TypeAlias

Size: TypeAlias = tuple[int, int]

# A picture that is longer than this is shown whole; of any other, the middle fills the square.
MOST_CUT = 2.0


def shrink_to_fit(size: Size, most: int) -> Size:
    """Shrink a width and height to at most ``most``; they are never enlarged."""
    return scale_to_fit(size, most) if max(size) > most else size


def scale_to_fit(size: Size, side: int) -> Size:
    """Scale a width and height so that the longer one is ``side``."""
    scale = side / max(size)
    width, height = (max(1, round(length * scale)) for length in size)
    return width, height


def cut_to_fill(size: Size) -> tuple[int, int, int, int]:
    """Return the part of a picture that fills a square: left, upper, right and lower end.

    It is the square in the middle, or the whole picture if little of it would be left.
    """
    width, height = size
    if max(size) > MOST_CUT * min(size):
        return 0, 0, width, height
    side = min(size)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
