"""How a report shows names, times and counts."""

import time

from shoal.shared.encoding import escape_name
from shoal.shared.findings import DuplicateCounts, Turn
from shoal.shared.text import cut_middle, show_count

# Longest name that is shown whole.
MOST_NAME_CHARACTERS = 300


def show_name(name: str, most: int = MOST_NAME_CHARACTERS) -> str:
    """Format a name as valid text: what is not UTF-8 is escaped; a long one loses its middle."""
    return cut_middle(escape_name(name), most)


def show_time(seconds: float) -> str:
    """Format a time, in seconds since 1970, as a date in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def show_turn(turn: Turn) -> str:
    """Say how an image lies, such as "turned 90°"."""
    return f"{turn}°" if turn[-1:].isdigit() else turn


def show_duplicates(counts: DuplicateCounts | None) -> str:
    """Say how many duplicates there are."""
    if counts is None:
        return "the search failed: see the workers' log"
    if not counts.images:
        return "none"
    images, groups = show_count(counts.images, "image"), show_count(counts.groups, "group")
    return f"{images} in {groups}, {counts.exact_copies:,} of them exact copies of an earlier one"
