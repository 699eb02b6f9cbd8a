"""The processor cores of this machine or container.

joblib can count them too, but imports numpy, which would slow every command down.
"""

import os
from math import ceil
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
# CPU time that a container may use, and in which period: one file in version 2, two in version 1.
QUOTAS = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))


def count_cores(cgroups: Path = CGROUPS) -> int:
    """Count the cores that this process may use, by its affinity and by its container's quota."""
    affine = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if affine else os.cpu_count() or 1
    quotas = (_read_quota(cgroups, names) for names in QUOTAS)
    return min([cores, *(quota for quota in quotas if quota)])


def _read_quota(cgroups: Path, names: tuple[str, ...]) -> int | None:
    """Read a quota in cores, rounded up; None if there is none."""
    try:
        quota, period = " ".join((cgroups / name).read_text() for name in names).split()
        # -1 or max means no limit.
        return ceil(int(quota) / int(period)) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
