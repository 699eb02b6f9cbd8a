"""Counters and histograms of all jobs, which never fall: in one hash, counted where work commits.

The scripts that commit count in the same step, so that nothing is counted twice, and what was
counted stays when its job expires.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shoal.shared.jobs import Wave
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import keys

# Upper bounds of the buckets in seconds: of batches, of which most take some seconds, and of fits
# and the like, which take minutes for large jobs.
BATCH_BOUNDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
CALLBACK_BOUNDS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
# Within a detail, quotes are escaped.
REASON = re.compile(rb'"reason":"([\w-]+)"')
# Within the hash, parts of a name are joined by colons.
BATCH_SECONDS = "batch_seconds"
CALLBACK_SECONDS = "callback_seconds"
_BOUNDS = {BATCH_SECONDS: BATCH_BOUNDS, CALLBACK_SECONDS: CALLBACK_BOUNDS}
_OVER = "+Inf"
_MILLISECONDS = "milliseconds"


@dataclass(frozen=True)
class Histogram:
    """How many took at most so long.

    Attributes:
        buckets: Each bound as text with the number of those within it, the last one ``+Inf``.
        seconds: That all of them took.
    """

    buckets: Sequence[tuple[str, int]]
    seconds: float


class Counts:
    """What was counted since this Redis began."""

    def __init__(self, values: Mapping[bytes, bytes]) -> None:
        self.values = values

    @classmethod
    def read(cls, client: RedisClient) -> "Counts":
        """Read all counts, in one round trip."""
        return cls(client.hgetall(keys.COUNTS))

    def number(self, *parts: str) -> int:
        """Return one of them; 0 if nothing of it was counted, or if it is damaged."""
        raw = self.values.get(":".join(parts).encode(), b"")
        return int(raw) if raw.isdigit() else 0

    def histogram(self, name: str, of: str) -> Histogram:
        """Return the histogram ``name`` of a wave or state."""
        buckets, within = list[tuple[str, int]](), 0
        for bound in (*map(str, _BOUNDS[name]), _OVER):
            within += self.number(name, of, bound)
            buckets.append((bound, within))
        return Histogram(buckets, self.number(name, of, _MILLISECONDS) / 1000)


def count_seconds(name: str, of: str, seconds: float) -> dict[str, int]:
    """Return what to add for one piece of work that took so long."""
    bound = next((str(bound) for bound in _BOUNDS[name] if seconds <= bound), _OVER)
    # As a whole number: Redis adds those without rounding.
    return {f"{name}:{of}:{bound}": 1, f"{name}:{of}:{_MILLISECONDS}": round(seconds * 1000)}


def count_batch(
    wave: Wave, loaded: int, failed: int, known: int, failures: bytes, seconds: float | None
) -> dict[str, int]:
    """Return what to add for a batch; ``failures`` is the JSON of its images that failed."""
    added = {"images:loaded": loaded, "images:failed": failed, "known": known}
    reasons = Counter(REASON.findall(failures))
    added |= {f"failures:{reason.decode()}": number for reason, number in reasons.items()}
    if seconds is not None:
        added |= count_seconds(BATCH_SECONDS, wave, seconds)
    added[f"attempts:{wave}:committed"] = 1
    return {name: number for name, number in added.items() if number}


def pack_counts(added: Mapping[str, int]) -> str:
    """Return what is to be added as a script takes it."""
    return json.dumps(added)
