"""Numbers and counts in words, for commands, reports, pages and plots alike."""

from math import isfinite


def show_number(number: int) -> str:
    """Show a number with commas between thousands."""
    return f"{number:,}"


def show_count(count: int, noun: str) -> str:
    """Show a number with its noun, as in "1,797 images"."""
    return f"{show_number(count)} {noun}{'' if count == 1 else 's'}"


def show_share(share: float) -> str:
    """Show a share in percent, with a decimal below 10 %; "" if it is not finite."""
    percent = 100 * share
    if not isfinite(percent):
        return ""
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.0f} %" if percent >= 9.95 or not percent else f"{percent:.1f} %"
