"""Rates: a burst, then one at a time, for each who asks."""

from shoal.producer.web.access.rates import MOST_CALLERS, RateLimit


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


def test_each_is_counted_alone_and_may_be_forgiven() -> None:
    rate = RateLimit(burst=1, seconds=10, clock=Clock())
    assert [rate.take("a"), rate.take("b"), rate.take("a")] == [0, 0, 10]
    rate.reset("a")
    assert rate.take("a") == 0


def test_many_addresses_do_not_fill_the_memory() -> None:
    rate = RateLimit(burst=1, seconds=10, clock=Clock())
    for number in range(MOST_CALLERS + 100):
        rate.take(str(number))
    assert len(rate.buckets) == MOST_CALLERS
