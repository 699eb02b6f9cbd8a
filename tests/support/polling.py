"""Waiting for what other processes do: always with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Between two looks.
LOOK_SECONDS = 0.02


def wait_until(
    condition: Callable[[], T], seconds: float = 20, what: str = "what the test waits for"
) -> T:
    """Return the first true value of ``condition``; fail, naming ``what``, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(LOOK_SECONDS)
    return value
