"""Rate limits: how often each caller may do something."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

# Beyond this, the oldest are forgotten: an attacker with many addresses must not fill the memory.
MOST_CALLERS = 4096


@dataclass
class RateLimit:
    """A token bucket per caller: ``burst`` times at once, then once every ``seconds``."""

    burst: int
    seconds: float
    clock: Callable[[], float] = time.monotonic
    buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)

    def take(self, caller: str = "") -> float:
        """Count one more request; return 0 if it is allowed, else the seconds to wait."""
        with self.lock:
            now = self.clock()
            left, then = self.buckets.pop(caller, (float(self.burst), now))
            left = min(self.burst, left + (now - then) / self.seconds)
            allowed = left >= 1
            self.buckets[caller] = (left - 1 if allowed else left, now)
            if len(self.buckets) > MOST_CALLERS:
                self.buckets.popitem(last=False)
            return 0.0 if allowed else (1 - left) * self.seconds

    def reset(self, caller: str = "") -> None:
        """Forget a caller's requests."""
        with self.lock:
            self.buckets.pop(caller, None)
