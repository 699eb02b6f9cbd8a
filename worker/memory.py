"""Memory of this process: what the kernel bounds, and what the C library keeps."""

import ctypes
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LIMIT = resource.RLIMIT_AS
PAGE_BYTES = resource.getpagesize()
# Its first number is the size of the address space, in pages.
STATM = Path("/proc/self/statm")

# Of glibc's malloc.h. Above the largest of its mmap thresholds, a request is refused.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**25


def keep_freed_memory() -> bool:
    """Let freed arrays of up to 32 MB serve the next ones; return whether this C library can.

    By default glibc hands them back to the kernel, which clears each page anew when it is
    touched: a twentieth of the time of a batch of small images.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BYTES) and mallopt(M_TRIM_THRESHOLD, 2 * KEPT_BYTES))


@contextmanager
def limit_memory(more_bytes: int) -> Iterator[None]:
    """Turn what would take ``more_bytes`` beyond what the process has into a MemoryError.

    It holds for all threads. Where the system does not know this limit (macOS), none holds.
    """
    soft, hard = resource.getrlimit(LIMIT)
    with suppress(OSError, ValueError):
        resource.setrlimit(LIMIT, (_bound_memory(more_bytes, soft, hard), hard))
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(LIMIT, (soft, hard))


def limit_memory_for_good(more_bytes: int) -> None:
    """Do what ``limit_memory`` does, until the process ends."""
    with suppress(OSError, ValueError):
        bound = _bound_memory(more_bytes, *resource.getrlimit(LIMIT))
        resource.setrlimit(LIMIT, (bound, bound))


def _bound_memory(more_bytes: int, *limits: int) -> int:
    """Return the address space that this process may have, within ``limits`` that hold already.

    Raises:
        OSError: The system does not say what the process has.
    """
    used = int(STATM.read_text().split()[0]) * PAGE_BYTES
    return min([used + more_bytes, *(x for x in limits if x != resource.RLIM_INFINITY)])
