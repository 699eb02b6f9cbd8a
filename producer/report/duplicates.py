"""The duplicates in a report: the largest groups, side by side."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nlargest
from itertools import groupby
from operator import attrgetter

from shoal.producer.report.pictures import Picture, PictureBudget
from shoal.producer.report.text import show_turn
from shoal.shared.encoding import escape_name
from shoal.shared.findings import (
    PICTURED_GROUPS,
    PICTURED_OF_GROUP,
    Duplicate,
    DuplicateCounts,
    Turn,
)
from shoal.shared.text import show_count, show_number


@dataclass(frozen=True)
class _Group:
    """A group of duplicates.

    Attributes:
        number: Its number, as in duplicates.csv.
        images: How many images it has.
        firsts: Its first images of different content.
        copies: Images of each content.
        seconds: The path of the first copy of each content that has any.
        turned: How many contents are turned or mirrored.
    """

    number: int
    images: int
    firsts: list[Duplicate]
    copies: Counter[int]
    seconds: dict[int, str]
    turned: int


@dataclass(frozen=True)
class _ShownGroup:
    """A group as a report shows it; ``kinds`` are as in "2 exact copies, 1 mirrored"."""

    number: int
    size: str
    kinds: str
    pictures: list[Picture]
    left_out: int


@dataclass(frozen=True)
class _Duplicates:
    """The duplicates of a report: ``left_out`` groups are not shown."""

    counts: DuplicateCounts | None
    groups: list[_ShownGroup]
    left_out: int


def make_duplicates(
    counts: DuplicateCounts | None, duplicates: Iterable[Duplicate], budget: PictureBudget
) -> _Duplicates:
    """Make the largest groups of ``duplicates``, of which there may be millions.

    Args:
        counts: Of all duplicates; None if the search for them failed.
        duplicates: Sorted by group.
        budget: What pictures are taken from.
    """
    largest = nlargest(PICTURED_GROUPS, _read_groups(duplicates), key=attrgetter("images"))
    groups = [_show_group(group, budget) for group in largest]
    return _Duplicates(counts, groups, counts.groups - len(groups) if counts else 0)


def _read_groups(duplicates: Iterable[Duplicate]) -> Iterator[_Group]:
    for number, images in groupby(duplicates, key=attrgetter("group")):
        copies, seconds, firsts, turned = Counter[int](), dict[int, str](), list[Duplicate](), 0
        for image in images:
            if not copies[image.content]:
                # The first image of the group is what the others are compared with.
                turned += bool(copies) and image.turn is not Turn.NONE
                firsts += [image] if len(firsts) < PICTURED_OF_GROUP else []
            elif image.content in {first.content for first in firsts}:
                seconds.setdefault(image.content, image.path)
            copies[image.content] += 1
        yield _Group(number, copies.total(), firsts, copies, seconds, turned)


def _show_group(group: _Group, budget: PictureBudget) -> _ShownGroup:
    exact, near = group.images - len(group.copies), len(group.copies) - 1 - group.turned
    counts = {
        "exact copy" if exact == 1 else "exact copies": exact,
        "nearly the same": near,
        "mirrored or turned": group.turned,
    }
    kinds = [f"{show_number(count)} {kind}" for kind, count in counts.items() if count]
    return _ShownGroup(
        number=group.number,
        size=show_count(group.images, "image"),
        kinds=", ".join(kinds) if group.images > 2 else next(k for k, n in counts.items() if n),
        pictures=[
            budget.take(image.path, group.copies[image.content] - 1, note)
            for image, note in zip(group.firsts, _describe(group), strict=True)
        ],
        left_out=len(group.copies) - len(group.firsts),
    )


def _describe(group: _Group) -> Iterator[str]:
    """Say of each picture of a group how it lies, and where the first copy of its file is."""
    for number, image in enumerate(group.firsts):
        # The others are compared with the first.
        turn = show_turn(image.turn) if number else ""
        copy = group.seconds.get(image.content)
        yield " · ".join(filter(None, (turn, f"also {escape_name(copy)}" if copy else "")))
