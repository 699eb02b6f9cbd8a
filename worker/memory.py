"""A bound on what this process may take beyond what it has, by the kernel."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LIMIT = resource.RLIMIT_AS
PAGE_BYTES = resource.getpagesize()
# Its first number is the size of the address space, in pages.
STATM = Path("/proc/self/statm")


@contextmanager
def limit_memory(more_bytes: int) -> Iterator[None]:
    """Turn what would take ``more_bytes`` beyond what the process has into a MemoryError.

    It holds for all threads. Where the system does not know this limit (macOS), none holds.
    """
    soft, hard = resource.getrlimit(LIMIT)
    with suppress(OSError, ValueError):
        resource.setrlimit(LIMIT, (bound_memory(more_bytes, soft, hard), hard))
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(LIMIT, (soft, hard))


def limit_memory_for_good(more_bytes: int) -> None:
    """Do what ``limit_memory`` does, until the process ends."""
    with suppress(OSError, ValueError):
        bound = bound_memory(more_bytes, *resource.getrlimit(LIMIT))
        resource.setrlimit(LIMIT, (bound, bound))


def bound_memory(more_bytes: int, *limits: int) -> int:
    """Return the address space that this process may have, within ``limits`` that hold already.

    Raises:
        OSError: The system does not say what the process has.
    """
    used = int(STATM.read_text().split()[0]) * PAGE_BYTES
    return min([used + more_bytes, *(x for x in limits if x != resource.RLIM_INFINITY)])
