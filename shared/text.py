"""Numbers and counts as a person reads them: commands, reports, pages and plots share them."""

from math import isfinite


def show_number(number: int) -> str:
    """Return a number with separated thousands."""
    return f"{number:,}"


def show_count(count: int, noun: str) -> str:
    """Return a number with its noun, as in "1,797 images"."""
    return f"{show_number(count)} {noun}{'' if count == 1 else 's'}"


def show_share(share: float) -> str:
    """Return a share in percent, with as many digits as it deserves; "" where it is undefined."""
    percent = 100 * share
    if not isfinite(percent):
        return ""
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.0f} %" if percent >= 9.95 or not percent else f"{percent:.1f} %"
