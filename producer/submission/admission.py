"""Admission control: a job that cannot fit into memory is refused before it begins."""

from collections.abc import Mapping

from shoal.producer.submission.estimate import Estimate
from shoal.shared.errors import UsageError

Memory = Mapping[str, int | str]

REMEDIES = (
    "use a smaller `image_size`, lower SHOAL_FEATURES_SECONDS so that the features of ended jobs"
    " are deleted sooner, or use a machine with more memory"
)


def admit(estimate: Estimate, memory: Memory, is_embedded: bool) -> str:
    """Check that a job fits into memory, and describe in a line what it needs.

    Args:
        estimate: What the job needs.
        memory: Redis's ``INFO memory``; if it hides the figures, every job is admitted.
        is_embedded: Whether Redis and the fit share this machine's memory.

    Raises:
        UsageError: The job cannot fit; the message names the remedies.
    """
    free = _free_bytes(memory)
    needed = _describe(estimate)
    if free is not None and estimate.redis_bytes > free:
        raise UsageError(f"{needed}, but Redis has {show_bytes(free)} left: {_remedies(memory)}.")
    if is_embedded and free is not None and estimate.redis_bytes + estimate.fit_bytes > free:
        raise UsageError(
            f"{needed}, but this machine has {show_bytes(free)}: lower SHOAL_FIT_MEMORY,"
            f" {REMEDIES}."
        )
    return f"{needed}." if free is None else f"{needed}; Redis has {show_bytes(free)} left."


def _describe(estimate: Estimate) -> str:
    redis, fit = show_bytes(estimate.redis_bytes), show_bytes(estimate.fit_bytes)
    return f"The job needs about {redis} in Redis and {fit} for the fit"


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


def show_bytes(n_bytes: int) -> str:
    """Format a number of bytes in GB, MB or KB; KB are rounded up."""
    for unit, size in (("GB", 2**30), ("MB", 2**20)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{-(-n_bytes // 1024)} KB"
