"""The ranges of a job: wide enough for all of a series, and no wider than they must be."""

import pytest

from shoal.shared.images.values import UNKNOWN, Range, ValueRanges, make_ranges


@pytest.mark.parametrize(
    ("integers", "expected"),
    [
        ([(30, 220)], (0, 255)),
        ([(0, 3)], (0, 255)),
        ([(0, 255), (0, 256)], (0, 1023)),
        ([(100, 4095), (0, 7)], (0, 4095)),
        ([(0, 4096)], (0, 16_383)),
        ([(0, 16_384)], (0, 65_535)),
        ([(0, 65_535)], (0, 65_535)),
        ([(0, 65_536)], (0, 2**18 - 1)),
        ([(-1024, 3071)], (-1024, 4095)),
        ([(-1025, 3071)], (-4096, 4095)),
    ],
)
def test_integers_have_an_even_number_of_bits_and_at_least_eight(
    integers: list[Range], expected: Range
) -> None:
    assert make_ranges(integers, []) == ValueRanges(expected, None)


@pytest.mark.parametrize(
    ("floats", "expected"),
    [
        ([(0, 0.3), (0, 0.9)], (0, 1)),
        ([(0, 1)], (0, 1)),
        ([(-1, 1)], (-1, 1)),
        ([(0, 1.01)], (0, 4)),
        ([(0, 0.2)], (0, 0.25)),
        ([(12, 60_000)], (0, 65_536)),
    ],
)
def test_floats_reach_to_a_power_of_four(floats: list[Range], expected: Range) -> None:
    assert make_ranges([], floats) == ValueRanges(None, expected)


def test_a_job_without_deep_images_has_no_ranges() -> None:
    assert make_ranges([], []) == ValueRanges()


@pytest.mark.parametrize(
    "ranges", [UNKNOWN, ValueRanges((0, 4095)), ValueRanges((-4, 255), (0, 1))]
)
def test_ranges_survive_as_text(ranges: ValueRanges) -> None:
    assert ValueRanges.from_text(ranges.to_text()) == ranges
    assert ValueRanges.from_text(None) == UNKNOWN
