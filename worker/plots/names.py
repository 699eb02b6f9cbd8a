"""What clusters are called in plots: their numbers, and the names that users gave to them."""

import unicodedata
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import TypeAlias

from matplotlib.font_manager import findfont, get_font
from PIL import ImageFont

from shoal.shared.text import cut_middle
from shoal.worker.plots.style import FAMILY, PIXELS_PER_INCH, SMALL

# By label; clusters that have none are missing.
Names: TypeAlias = Mapping[int, str]
NO_NAMES: Names = MappingProxyType({})

# Shorter names say nothing.
LEAST_CHARACTERS = 4
# Matplotlib writes them from left to right, and letters of Arabic apart from each other.
RIGHT_TO_LEFT = ("R", "AL")


def fit_name(name: str, room_pixels: float, size: float = SMALL, *, bold: bool = False) -> str:
    """Cut a name in its middle, so that it is no wider than ``room_pixels``.

    Returns:
        "" if there is no name, or none that the font of the plots can write.
    """
    if not name or not _is_writable(name):
        return ""
    most = len(name)
    while most > LEAST_CHARACTERS and _measure(cut_middle(name, most), size, bold) > room_pixels:
        most -= 1
    return cut_middle(name, most)


def _is_writable(name: str) -> bool:
    """Return whether the font that comes with matplotlib has all letters of a name."""
    there = _list_characters()
    return all(
        ord(letter) in there and unicodedata.bidirectional(letter) not in RIGHT_TO_LEFT
        for letter in name
    )


@cache
def _list_characters() -> frozenset[int]:
    return frozenset(get_font(findfont(FAMILY)).get_charmap())


def _measure(words: str, size: float, bold: bool) -> float:
    """Measure words in pixels."""
    return _find_font(size * PIXELS_PER_INCH / 72, bold).getlength(words)


@cache
def _find_font(pixels: float, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont(f"{FAMILY}:bold" if bold else FAMILY), pixels)
