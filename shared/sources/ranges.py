"""Ranges of archives: members that lie together are read at once, whatever their order."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shoal.shared.sources.unpacking import PackedMember
from shoal.shared.sources.zip import LOCAL_HEADER_BYTES

# Bytes between two members that are read rather than asked for separately.
MOST_GAP_BYTES = 2**16
MOST_RANGE_BYTES = 2**23
# Members whose ranges are chosen together: about so much is in memory at once.
MOST_WINDOW_BYTES = 2**25
# Extra fields of a local header, as a rule 28 bytes; where they are longer, the rest is read later.
EXTRA_BYTES = 256


@dataclass
class Range:
    """Bytes of an archive that are read at once.

    Attributes:
        archive: Where the archive is: a path or a URL.
        offset: Of the first byte in the archive.
        length: In bytes.
        places: Of the members in it, in the order of the list that was planned.
    """

    archive: str
    offset: int
    length: int
    places: list[int] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.offset + self.length


def plan_windows(members: Sequence[PackedMember | None]) -> Iterator[tuple[range, list[Range]]]:
    """Plan how members of archives are read, a bounded part of them at a time.

    Args:
        members: In the order in which they are wanted; None for those that are not.

    Yields:
        The places of some members that follow each other, and the ranges that have all of them.
    """
    start, window_bytes = 0, 0
    for place, member in enumerate(members):
        size = member.location.size or 0 if member else 0
        if place > start and window_bytes + size > MOST_WINDOW_BYTES:
            yield range(start, place), _join(members, range(start, place))
            start, window_bytes = place, 0
        window_bytes += size
    if start < len(members):
        places = range(start, len(members))
        yield places, _join(members, places)


def _join(members: Sequence[PackedMember | None], places: range) -> list[Range]:
    """Join what lies together of some members, in the order in which it lies there."""
    single = [_range_of(member, place) for place in places if (member := members[place])]
    ranges = list[Range]()
    for new in sorted(single, key=lambda each: (each.archive, each.offset)):
        last = ranges[-1] if ranges else None
        if last and _lie_together(last, new):
            last.length = max(last.end, new.end) - last.offset
            last.places += new.places
        else:
            ranges.append(new)
    return ranges


def _range_of(member: PackedMember, place: int) -> Range:
    length = member.location.size or 0
    if member.is_zipped:
        length += LOCAL_HEADER_BYTES + len(os.fsencode(member.path)) + EXTRA_BYTES
    return Range(member.archive, member.location.offset, length, [place])


def _lie_together(first: Range, second: Range) -> bool:
    return (
        first.archive == second.archive
        and second.offset - first.end <= MOST_GAP_BYTES
        and second.end - first.offset <= MOST_RANGE_BYTES
    )
