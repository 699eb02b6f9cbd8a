"""Admission control: a job that cannot fit into memory is refused before it begins."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shoal.producer.submission.estimate import Estimate
from shoal.shared.errors import UsageError
from shoal.shared.server.embedded import Disk
from shoal.shared.text import show_bytes

Memory = Mapping[str, int | str]

LESS = (
    "use features with fewer numbers, such as `features='color'`, or a smaller `image_size` with"
    " pixels, lower SHOAL_FEATURES_SECONDS so that the features of ended jobs are deleted sooner"
)
REMEDIES = f"{LESS}, or use a machine with more memory"
# Nearer to a limit, a job may come to wait: a file of Redis takes up to twice its room while it
# is rewritten (590 MB where 345 were estimated), and jobs of others begin.
AMPLE = 2


@dataclass(frozen=True)
class _Limit:
    """What a job needs of something, what is left of it, and what to do if that is too little."""

    needed_bytes: int
    free_bytes: int
    place: str
    remedies: str


@dataclass(frozen=True)
class Admission:
    """What a job that fits needs.

    Attributes:
        message: That in a line for the user, with what is left.
        is_near: Whether it takes so much of what is left that its user should know.
    """

    message: str
    is_near: bool


def admit(
    estimate: Estimate, memory: Memory, disk: Disk | None, shards_disk: Disk | None = None
) -> Admission:
    """Check that a job fits, into memory and on the disks.

    Args:
        estimate: What the job needs.
        memory: Redis's ``INFO memory``; if it hides the figures, every job fits.
        disk: That of the embedded server; None for another Redis, of whose disk nothing is known.
        shards_disk: That of the shards; None if they are in Redis, or nothing is known of it.

    Raises:
        UsageError: The job cannot fit; the message names the remedies.
    """
    redis, fit = show_bytes(estimate.redis_bytes), show_bytes(estimate.fit_bytes)
    server = "the embedded server" if disk else "Redis"
    shards = show_bytes(estimate.shards_bytes)
    stored = f"{redis} in {server}"
    if estimate.shards_bytes:
        stored += f", {shards} in shards"
    needed = f"The job needs about {stored} and {fit} for the fit"
    limits = [
        *_limit_memory(estimate, memory, disk),
        *_limit_disks(estimate, disk, shards_disk),
    ]
    for limit in limits:
        if limit.needed_bytes > limit.free_bytes:
            free = show_bytes(limit.free_bytes)
            raise UsageError(f"{needed}, but {limit.place} has {free} left: {limit.remedies}.")
    left = [f"{limit.place} has {show_bytes(limit.free_bytes)} left" for limit in limits]
    message = "; ".join([needed, *left]) + "."
    return Admission(message, any(each.needed_bytes * AMPLE > each.free_bytes for each in limits))


def _limit_memory(estimate: Estimate, memory: Memory, disk: Disk | None) -> Iterator[_Limit]:
    """Yield the limit of Redis, or of this machine if Redis and the fit share its memory."""
    free, stored = _free_bytes(memory), estimate.redis_bytes
    if free is not None and disk:
        remedies = f"lower SHOAL_FIT_MEMORY, {REMEDIES}"
        yield _Limit(stored + estimate.fit_bytes, free, "this machine's memory", remedies)
    elif free is not None:
        yield _Limit(stored, free, "Redis", _remedies(memory))


def _limit_disks(
    estimate: Estimate, disk: Disk | None, shards_disk: Disk | None
) -> Iterator[_Limit]:
    remedies = f"make room there, set SHOAL_HOME to a directory on a larger disk, or {LESS}"
    is_one = disk and shards_disk and disk.device == shards_disk.device
    if disk and disk.free_bytes is not None:
        needed = estimate.redis_bytes + (estimate.shards_bytes if is_one else 0)
        yield _Limit(needed, disk.free_bytes, f"the disk of {disk.directory}", remedies)
    if shards_disk and shards_disk.free_bytes is not None and not is_one:
        elsewhere = f"make room there, set SHOAL_SHARDS_URL to a larger place, or {LESS}"
        place = f"the disk of {shards_disk.directory}"
        yield _Limit(estimate.shards_bytes, shards_disk.free_bytes, place, elsewhere)


def _remedies(memory: Memory) -> str:
    limited = f"raise maxmemory ({show_bytes(_maxmemory_of(memory))}), "
    return (limited if _maxmemory_of(memory) else "") + REMEDIES


def _maxmemory_of(memory: Memory) -> int:
    """Return the bytes that Redis may use; 0 if only its machine limits it."""
    return int(memory.get("maxmemory", 0))


def _free_bytes(memory: Memory) -> int | None:
    """Return the bytes that Redis may still use; None if it hides the figures."""
    limit = _maxmemory_of(memory) or int(memory.get("total_system_memory", 0))
    if not limit or "used_memory" not in memory:
        return None
    # Buffers of the append-only file do not count towards maxmemory.
    used = int(memory["used_memory"]) - int(memory.get("mem_not_counted_for_evict", 0))
    return max(limit - used, 0)
