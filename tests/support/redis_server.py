"""A real Redis with an append-only file, which survives being killed."""

import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from polling import wait_until
from redis import Redis, RedisError
from servers import DURABLE, find_free_port, find_redis_server

START_SECONDS = 20


class RedisServer:
    """One server and its data; ``directory`` has a short path, for the socket in it."""

    def __init__(self, directory: Path, password: str = "") -> None:
        self.directory = directory
        self.password = password
        self.port = find_free_port()
        self.socket = directory / "redis.sock"
        self.start()

    @property
    def url(self) -> str:
        """Where it listens on TCP."""
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}127.0.0.1:{self.port}/0"

    @property
    def socket_url(self) -> str:
        """Where it listens on a unix socket."""
        secret = f":{self.password}@" if self.password else ""
        return f"unix://{secret}{self.socket}"

    def options(self) -> dict[str, str]:
        """Return its settings."""
        return {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket),
            "dir": str(self.directory),
        } | ({"requirepass": self.password} if self.password else {})

    def start(self) -> None:
        """Start it with the data that it has; return once it answers."""
        words = [word for key, value in self.options().items() for word in (f"--{key}", value)]
        with (self.directory / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [find_redis_server(), *words, *DURABLE],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.client: Any = Redis.from_url(self.url)
        wait_until(self.answers, START_SECONDS, "redis-server answers")

    def answers(self) -> bool:
        """Whether it is ready for commands."""
        with suppress(RedisError):
            return bool(self.client.ping())
        return False

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it for good."""
        self.client.close()
        self.kill()
