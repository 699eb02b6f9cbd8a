"""Decisions: an image of a group of duplicates, and whether it is the one to keep."""

from dataclasses import dataclass
from enum import StrEnum

from shoal.shared.errors import UsageError
from shoal.shared.findings import Turn


class KeepRule(StrEnum):
    """Which image of a group is kept; of equal ones, the first in the order of the folder."""

    LARGEST = "largest"  # the most pixels, then the most bytes
    FIRST = "first"
    NEWEST = "newest"  # by the time of the file's last change


class Kind(StrEnum):
    """How an image duplicates the others of its group."""

    EXACT = "exact"
    NEAR = "near"
    TURNED = "turned"


class Decision(StrEnum):
    """What becomes of an image of a group of duplicates."""

    KEEP = "keep"
    EXTRA = "extra"
    SAME_FILE = "same-file"
    CHANGED = "changed"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class DecidedDuplicate:
    """An image of a group of duplicates, and whether to keep it.

    Attributes:
        group: As in ``Duplicate``.
        path: Likewise.
        content: Likewise.
        like: Likewise.
        distance: Likewise.
        turn: Likewise.
        kind: ``exact`` if another file of the group has the same bytes; else ``turned`` or
            ``near``, by how it lies compared with ``like``.
        width: In pixels, upright; 0 if it is not known.
        height: Likewise.
        size_bytes: Of the file; 0 if it is not known.
        modified_at: When the file changed last, in seconds since 1970; 0 if it is not known.
        decision: ``keep`` for one image of each group, ``extra`` for the others. An image that is
            not as the job has seen it is neither (``changed``, ``missing``, ``unreadable``), nor is
            another path to the file that is kept (``same-file``).
    """

    group: int
    path: str
    content: int
    like: str
    distance: int
    turn: Turn
    kind: Kind
    width: int
    height: int
    size_bytes: int
    modified_at: float
    decision: Decision


def parse_rule(keep: str) -> KeepRule:
    """Return the rule of a name.

    Raises:
        UsageError: There is none of this name.
    """
    try:
        return KeepRule(keep)
    except ValueError:
        raise UsageError(f"No rule {keep!r}: choose {', '.join(KeepRule)}.") from None
