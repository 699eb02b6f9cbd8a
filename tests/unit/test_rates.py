"""Rates: a burst, then one at a time."""

from shoal.producer.web.access.rates import RateLimit


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_burst_is_allowed_and_then_one_at_a_time() -> None:
    clock = Clock()
    rate = RateLimit(burst=2, seconds=10, clock=clock)
    assert [rate.take(), rate.take(), rate.take()] == [0, 0, 10]
    clock.seconds = 4
    assert rate.take() == 6
    clock.seconds = 10
    assert [rate.take(), rate.take()] == [0, 10]


def test_who_waits_long_has_no_more_than_a_burst() -> None:
    clock = Clock()
    rate = RateLimit(burst=1, seconds=1, clock=clock)
    assert rate.take() == 0
    clock.seconds = 1000
    assert [rate.take(), rate.take()] == [0, 1]
