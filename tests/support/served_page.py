"""The page as ``shoal serve`` serves it, in a process of its own."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from shoal_command import Shoal

STOP_SECONDS = 30


@contextmanager
def served(shoal: Shoal, port: int = 0) -> Iterator[str]:
    """Serve the page meanwhile; yield where."""
    pipe = {"stderr": subprocess.PIPE}
    with shoal.start("serve", "--port", port, **pipe) as process:
        try:
            assert process.stderr
            yield process.stderr.readline().split()[-1].rstrip("/")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)
    assert process.returncode == 0
