"""Memory of this process and its container: what the kernel allows, what the C library keeps.

Outside of a container, or without a limit, nothing is known of either.
"""

import ctypes
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shoal.shared.cores import CGROUPS
from shoal.shared.text import show_bytes

LIMIT = resource.RLIMIT_AS
PAGE_BYTES = resource.getpagesize()
# The first number is the size of the address space, in pages.
STATM = Path("/proc/self/statm")

# From glibc's malloc.h. KEPT_BYTES is the highest mmap threshold that it accepts.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**25

# One file each in version 2 and in version 1.
LIMIT_FILES = ("memory.max", "memory/memory.limit_in_bytes")
EVENT_FILES = ("memory.events", "memory/memory.oom_control")
KILLS = "oom_kill"
# Version 1 has a number near 2**63 where there is no limit.
NO_LIMIT = 2**60
# Of a worker that embeds photographs of usual sizes: its main process, and each of the others.
MAIN_BYTES, PROCESS_BYTES = 150 * 2**20, 125 * 2**20
# What every message about the limit has, by which it is known again.
LIMIT_REACHED = "the memory limit of the worker's container"


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


def read_memory_limit(cgroups: Path = CGROUPS) -> int | None:
    """Read how many bytes the container may use; None if there is no limit."""
    for name in LIMIT_FILES:
        text = _read(cgroups / name).strip()
        if text.isdecimal() and int(text) < NO_LIMIT:
            return int(text)
    return None


def count_kills(cgroups: Path = CGROUPS) -> int:
    """Count the processes that the kernel has killed since the container reached its limit."""
    for name in EVENT_FILES:
        for line in _read(cgroups / name).splitlines():
            event, _, count = line.partition(" ")
            if event == KILLS and count.isdecimal():
                return int(count)
    return 0


def describe_kills(cgroups: Path = CGROUPS) -> str:
    """Say that the limit was reached, and the remedy; empty if it was not."""
    limit, kills = read_memory_limit(cgroups), count_kills(cgroups)
    if limit is None or not kills:
        return ""
    return (
        f"{LIMIT_REACHED} ({show_bytes(limit)}) was reached, and the kernel killed processes there"
        f" ({kills} so far). This says nothing against an image: raise the limit, start the worker"
        " with fewer processes, or lower SHOAL_IMAGE_MEMORY, so that images that need more fail"
    )


def describe_shortage(processes: int, cgroups: Path = CGROUPS) -> str:
    """Say that the limit is too low for a worker of so many processes; empty if it is not."""
    limit, need = read_memory_limit(cgroups), MAIN_BYTES + processes * PROCESS_BYTES
    if limit is None or limit >= need:
        return ""
    return (
        f"This container may use {show_bytes(limit)} of memory. A worker with a concurrency of"
        f" {processes} needs about {show_bytes(need)}, and more for large images: raise the limit,"
        " or lower the concurrency."
    )


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
