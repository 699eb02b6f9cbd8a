"""Braces, as shells expand them: ``shards-{000..099}.tar`` names a hundred tars."""

import re
from collections.abc import Iterator
from itertools import product
from math import prod

from shoal.shared.errors import SourceError

BRACES = re.compile(r"\{(\d{1,20}\.\.\d{1,20}|[^{},]*(?:,[^{},]*)+)\}")
# More were a slip of the hand; a data set of ten terabytes has some ten thousand shards.
MOST_EXPANDED = 1_000_000


def has_braces(pattern: str) -> bool:
    """Return whether ``expand_braces`` makes more than one of a pattern."""
    return BRACES.search(pattern) is not None


def expand_braces(pattern: str) -> Iterator[str]:
    """Yield what a pattern names, in order: ``{000..099}`` are numbers, ``{a,b}`` alternatives.

    Raises:
        SourceError: It names more than a million.
    """
    between = BRACES.split(pattern)
    # Texts and what is in braces take turns.
    choices = [_choose(part) if n % 2 else [part] for n, part in enumerate(between)]
    n_expanded = prod(c.count if isinstance(c, _Numbers) else len(c) for c in choices)
    if n_expanded > MOST_EXPANDED:
        raise SourceError(f"{pattern} names {n_expanded:,} sources: the most is {MOST_EXPANDED:,}")
    yield from map("".join, product(*choices))


class _Numbers:
    """Numbers with as many digits as the longer of the two, if one begins with 0."""

    def __init__(self, first: str, last: str) -> None:
        step = 1 if int(first) <= int(last) else -1
        self._numbers = range(int(first), int(last) + step, step)
        self.count = abs(int(last) - int(first)) + 1
        is_padded = any(text.startswith("0") and len(text) > 1 for text in (first, last))
        self._digits = max(len(first), len(last)) if is_padded else 0

    def __iter__(self) -> Iterator[str]:
        return (f"{number:0{self._digits}d}" for number in self._numbers)


def _choose(inner: str) -> "list[str] | _Numbers":
    return inner.split(",") if "," in inner else _Numbers(*inner.split(".."))
