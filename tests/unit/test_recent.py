"""What takes long to make is made once, and the things that were used last are kept."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import pytest

from shoal.producer.results.recent import Recent


def test_the_ones_used_last_are_kept() -> None:
    made: list[str] = []
    recent: Recent[str] = Recent(2)

    def make(key: str) -> str:
        made.append(key)
        return key.upper()

    assert [recent.find(key, partial(make, key)) for key in "abacab"] == list("ABACAB")
    assert "".join(made) == "abcb"


def test_who_asks_meanwhile_waits_for_the_same() -> None:
    started, go = Event(), Event()
    recent: Recent[object] = Recent(2)

    def make() -> object:
        started.set()
        assert go.wait(30)
        return object()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(recent.find, "a", make)
        assert started.wait(30)
        second = pool.submit(recent.find, "a", object)
        go.set()
        assert first.result() is second.result()


def test_an_error_is_told_and_not_kept() -> None:
    recent: Recent[int] = Recent(2)
    with pytest.raises(ZeroDivisionError):
        recent.find("a", lambda: 1 // 0)
    assert recent.find("a", lambda: 1) == 1
