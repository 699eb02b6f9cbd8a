"""Numbers, counts and names as text, for commands, reports, pages, plots and logs alike."""

import re
from math import isfinite

# Control characters, line and paragraph separators, what turns the order of a line around, and
# bytes that are not UTF-8.
CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def show_number(number: int) -> str:
    """Show a number with commas between thousands."""
    return f"{number:,}"


def show_count(count: int, noun: str) -> str:
    """Show a number with its noun, as in "1,797 images"."""
    return f"{show_number(count)} {noun}{'' if count == 1 else 's'}"


def show_copies(count: int) -> str:
    """Show how many copies an image has beside it, as in "+4 copies"; "" if none."""
    return f"+{show_number(count)} {'copy' if count == 1 else 'copies'}" if count else ""


def show_share(share: float) -> str:
    """Show a share in percent, with a decimal below 10 %; "" if it is not finite."""
    percent = 100 * share
    if not isfinite(percent):
        return ""
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.0f} %" if percent >= 9.95 or not percent else f"{percent:.1f} %"


def show_controls(text: str) -> str:
    r"""Show what a terminal would obey as in Python, such as \x1b or \n; all else stays.

    Bytes that are not UTF-8 are shown as in the files that Shoal writes, such as \xe9.
    """
    return CONTROLS.sub(_show_control, text)


def _show_control(found: re.Match[str]) -> str:
    character = found[0]
    if "\udc80" <= character <= "\udcff":  # as Python represents such a byte
        return f"\\x{ord(character) & 0xFF:02x}"
    return ascii(character)[1:-1]
