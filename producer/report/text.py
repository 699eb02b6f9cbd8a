"""Words of a report: names that nobody chose for a page, numbers, times."""

import time

from shoal.shared.findings import DuplicateCounts
from shoal.shared.text import show_count

# Of one shown name; the end of a path tells more than its beginning.
MOST_NAME_CHARACTERS = 300


def show_name(name: str, most: int = MOST_NAME_CHARACTERS) -> str:
    """Return a name as valid text: what is not UTF-8 becomes �, and a long one loses its front."""
    readable = name.encode(errors="surrogateescape").decode(errors="replace")
    return readable if len(readable) <= most else f"…{readable[1 - most :]}"


def show_time(seconds: float) -> str:
    """Return a time since 1970 in words, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def show_duplicates(counts: DuplicateCounts | None) -> str:
    """Return how many duplicates there are, in words."""
    if counts is None:
        return "not searched: see the workers' log"
    if not counts.images:
        return "none"
    images, groups = show_count(counts.images, "image"), show_count(counts.groups, "group")
    return f"{images} in {groups}, {counts.exact_copies:,} of them copies of an earlier one"
