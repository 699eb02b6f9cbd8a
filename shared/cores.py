"""The processor cores of this machine, or of the container that this is.

joblib can count them too, but imports numpy, for which no command of the producer has the time.
"""

import os
from math import ceil
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
# What a container may use, and in which period: of version 2 in one file, of version 1 in two.
QUOTAS = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))


def count_cores(cgroups: Path = CGROUPS) -> int:
    """Return the cores that this process may use, by its affinity and by a container's quota."""
    affine = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if affine else os.cpu_count() or 1
    quotas = (_find_quota(cgroups, names) for names in QUOTAS)
    return min([cores, *(quota for quota in quotas if quota)])


def _find_quota(cgroups: Path, names: tuple[str, ...]) -> int | None:
    """Return the cores of a quota, rounded up; None where there is none."""
    try:
        quota, period = " ".join((cgroups / name).read_text() for name in names).split()
        # -1 or max is without a limit.
        return ceil(int(quota) / int(period)) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
