"""Rate limits: how often something may be done, whoever does it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock


@dataclass
class RateLimit:
    """A token bucket: ``burst`` times at once, then once every ``seconds``.

    It is one for all callers: an attacker has many addresses, and a proxy has one for all.

    Attributes:
        burst: How often at once.
        seconds: Time between two after that.
        clock: Tells the time in seconds.
        lock: Held while the others are used.
        left: How often it may be done now.
        then: When ``left`` was true.
    """

    burst: int
    seconds: float
    clock: Callable[[], float] = time.monotonic
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.left, self.then = float(self.burst), self.clock()

    def take(self) -> float:
        """Count one more request; return 0 if it is allowed, else the seconds to wait."""
        with self.lock:
            now = self.clock()
            self.left = min(self.burst, self.left + (now - self.then) / self.seconds)
            self.then = now
            if self.left < 1:
                return (1 - self.left) * self.seconds
            self.left -= 1
            return 0.0
