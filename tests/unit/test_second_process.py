from collections.abc import Iterator

from benchmarks.second_process import compare


def replay(order: list[int], name: int, seconds: Iterator[float]) -> float:
    order.append(name)
    return next(seconds)


def test_processes_are_compared_in_turn_by_the_median_of_ratios() -> None:
    order: list[int] = []
    ones, twos = iter([2.0, 4.0, 30.0]), iter([1.0, 2.1, 10.0])
    ratio = compare(lambda: replay(order, 1, ones), lambda: replay(order, 2, twos), 3)
    assert order == [1, 2, 2, 1, 1, 2]
    assert ratio == 2.0
