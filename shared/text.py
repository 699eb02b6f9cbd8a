"""Numbers, counts, names and findings as text, for commands, reports, pages and plots alike."""

import re
from collections.abc import Sequence
from itertools import accumulate
from math import isfinite
from unicodedata import combining

# Control characters, line and paragraph separators, what turns the order of a line around, and
# bytes that are not UTF-8.
CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Of the variance: with so much of it, images can hardly be told from what they were.
NEARLY_ALL = 0.9
# Of a path's folders; less says nothing.
LEAST_OF_FOLDERS = 5


def show_number(number: int) -> str:
    """Show a number with commas between thousands."""
    return f"{number:,}"


def show_count(count: int, noun: str) -> str:
    """Show a number with its noun, as in "1,797 images"."""
    return f"{show_number(count)} {noun}{'' if count == 1 else 's'}"


def show_bytes(n_bytes: int) -> str:
    """Show a number of bytes in GB, MB or KB; KB are rounded up."""
    for unit, size in (("GB", 2**30), ("MB", 2**20)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{-(-n_bytes // 1024)} KB"


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


def cut_middle(text: str, most: int) -> str:
    """Cut a text to ``most`` characters in its middle: of a file's name, the extension stays."""
    if len(text) <= most:
        return text
    before = (most - 1) // 2
    head, tail = text[:before], text[len(text) - (most - 1 - before) :]
    # An accent belongs to the letter before it.
    while tail and combining(tail[0]):
        tail = tail[1:]
    return f"{head}…{tail}"


def cut_path(path: str, most: int) -> str:
    """Cut a path to ``most`` characters: its folders first, then the middle of the file's name."""
    folders, _, name = path.rpartition("/")
    room = most - len(name) - 1
    if len(path) <= most or room < LEAST_OF_FOLDERS:
        return cut_middle(path if len(path) <= most else name, most)
    return f"{cut_middle(folders, room)}/{name}"


def show_duration(seconds: float) -> str:
    """Show a time in its largest unit that is not below 2, as in "90 s" or "3 h"."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


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


def describe_sizes(sizes: Sequence[int], noise: int = 0) -> str:
    """Say how many images are in how many clusters, and how large the largest is.

    Args:
        sizes: Images of each cluster.
        noise: Images in no cluster.
    """
    total = sum(sizes)
    words = f"{show_count(total, 'image')} in {show_count(len(sizes), 'cluster')}"
    if len(sizes) > 1 and total:
        largest = max(sizes)
        words += f"; the largest holds {largest:,} ({show_share(largest / (total + noise))})"
    return words + (f"; {show_number(noise)} in none" if noise else "")


def describe_variance(shares: Sequence[float]) -> str:
    """Say what the components keep together, and how many of them keep nine tenths.

    Args:
        shares: Of the whole variance, of each component.
    """
    kept = sum(shares)
    if not kept > 0:  # of images that are all alike, it is not a number
        return "The images do not differ: there is no variance to explain"
    verb = "keeps" if len(shares) == 1 else "keep"
    words = f"{show_count(len(shares), 'component')} {verb} {show_share(kept)} of the variance"
    enough = count_components(shares, NEARLY_ALL)
    if not 1 < enough < len(shares):
        return words
    return f"{words}; the first {show_number(enough)} keep {show_share(NEARLY_ALL)}"


def count_components(shares: Sequence[float], kept: float) -> int:
    """Return how many of the first components keep this share; one too many if all do not."""
    return sum(each < kept for each in accumulate(shares)) + 1


def describe_plane(shares: Sequence[float]) -> str:
    """Say how much of the variance the plane of the first two components keeps."""
    shown = [share for share in shares[:2] if share > 0]
    if not shown:
        return "The images do not differ: all lie in one place"
    which = "One component keeps" if len(shares) == 1 else "The first two components keep"
    return f"{which} {show_share(sum(shown))} of the variance"


def split_reason(reason: str) -> tuple[str, str]:
    """Split the reason of a choice of clusters: which number and why; what was measured, or ""."""
    words, _, measured = reason.partition(" (")
    number, _, why = words.partition(": ")
    clusters = "cluster" if number == "1" else "clusters"
    return f"{number} {clusters}: {why}", measured.rstrip(")").capitalize()
