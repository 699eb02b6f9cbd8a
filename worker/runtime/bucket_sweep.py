"""Deletes what has expired in a bucket, once an hour, in a process of its own.

A worker's main process forks, and so may not use a bucket itself.
"""

import subprocess
import sys

from shoal.shared.errors import ShoalError
from shoal.shared.redis.connection import QUICK_RETRIES, connect
from shoal.shared.server.places import find_place
from shoal.shared.settings import read_settings
from shoal.shared.store import Registry, Strays

# What has expired may lie there for so much longer.
SECONDS = 3600.0
CLAIM = "bucket"


class BucketSweep:
    """Starts that process when it is time, in one of all workers."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._process: subprocess.Popen[bytes] | None = None

    def start_if_due(self) -> None:
        """Start the process, unless it still runs or any worker has started it in this hour."""
        if self._process and self._process.poll() is None:
            return
        if self.registry.claim(CLAIM, SECONDS):
            command = [sys.executable, "-P", "-m", "shoal.worker.runtime.bucket_sweep"]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)


def main() -> int:
    """Delete what has expired; what a refusal leaves is deleted an hour later."""
    settings = read_settings()
    if not settings.redis_url:
        return 0
    client = connect(settings.redis_url, QUICK_RETRIES)
    registry = Registry(client)
    strays = Strays(client, find_place(settings, client, is_embedded=False))
    try:
        while strays.delete_due(registry.now()):
            pass
        strays.delete_unknown(registry.now())
    except ShoalError as error:
        print(f"could not delete what has expired: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
