"""Memory of this process: how much the kernel allows, and how much the C library keeps."""

import ctypes
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LIMIT = resource.RLIMIT_AS
PAGE_BYTES = resource.getpagesize()
# The first number is the size of the address space, in pages.
STATM = Path("/proc/self/statm")

# From glibc's malloc.h. KEPT_BYTES is the highest mmap threshold that it accepts.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**25


def keep_freed_memory() -> bool:
    """Keep the memory of freed arrays of up to 32 MB for the next ones.

    By default glibc gives it back to the kernel, which clears each page again when it is next
    touched: a twentieth of the time of a batch of small images.

    Returns:
        Whether this C library can do so.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BYTES) and mallopt(M_TRIM_THRESHOLD, 2 * KEPT_BYTES))


@contextmanager
def limit_memory(more_bytes: int) -> Iterator[None]:
    """Raise MemoryError if the process would take ``more_bytes`` in addition to what it has.

    The limit applies to all threads. Systems without it (macOS) have none.
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
    """Limit memory as ``limit_memory`` does, until the process ends."""
    with suppress(OSError, ValueError):
        bound = _bound_memory(more_bytes, *resource.getrlimit(LIMIT))
        resource.setrlimit(LIMIT, (bound, bound))


def _bound_memory(more_bytes: int, *limits: int) -> int:
    """Compute the bytes of address space to allow, within ``limits`` that already apply.

    Raises:
        OSError: The system does not say what the process has.
    """
    used = int(STATM.read_text().split()[0]) * PAGE_BYTES
    return min([used + more_bytes, *(x for x in limits if x != resource.RLIM_INFINITY)])
