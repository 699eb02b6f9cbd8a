"""Values: which are black and which are white in a job's images of more than eight bits."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

Range = tuple[float, float]

# Integers of fewer bits are what they would be in a file of eight bits.
LEAST_INTEGER_BITS = 8
MOST_BITS = 64
# What workers agree on under this name is the ranges of the job.
AGREED_NAME = "values"


@dataclass(frozen=True)
class ValueRanges:
    """The ranges of values that a job takes for black to white; None if they are not known.

    They are the same for all of its images, so that these keep their relative brightness.

    Attributes:
        integers: Of integers of more than eight bits, such as 0 to 4,095.
        floats: Of floating-point numbers, such as 0 to 1.
    """

    integers: Range | None = None
    floats: Range | None = None

    def to_text(self) -> str:
        """Write the ranges, as workers agree on them and tell their decoders."""
        return json.dumps([self.integers, self.floats])

    @classmethod
    def from_text(cls, text: str | None) -> Self:
        """Read ranges that ``to_text`` wrote; unknown ones for None.

        Raises:
            ValueError: It did not write this.
        """
        if text is None:
            return cls()
        return cls(*(part and (float(part[0]), float(part[1])) for part in json.loads(text)))


UNKNOWN = ValueRanges()


def make_ranges(integers: Sequence[Range], floats: Sequence[Range]) -> ValueRanges:
    """Make the ranges that hold those of some images.

    Each goes from 0 to the largest number of an even number of bits, as sensors have: 8, 10, 12, 14
    or 16; with negative values, from a power of four below 0.
    """
    return ValueRanges(
        _widen(integers, LEAST_INTEGER_BITS, 1) if integers else None,
        _widen(floats, -MOST_BITS, 0) if floats else None,
    )


def _widen(ranges: Sequence[Range], least_bits: int, step: int) -> Range:
    """Widen the range that holds all ``ranges``; values are at least ``step`` apart."""
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    lowest = -(2.0 ** _count_bits(-low, -MOST_BITS, 0)) if low < 0 else 0.0
    return lowest, 2.0 ** _count_bits(high, least_bits, step) - step


def _count_bits(value: float, least: int, step: int) -> int:
    fitting = (n for n in range(least, MOST_BITS, 2) if value <= 2.0**n - step)
    return next(fitting, MOST_BITS)
