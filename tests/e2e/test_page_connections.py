"""A server with few descriptors, and more half-sent requests than it has."""

import resource
import socket
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from shoal_command import Shoal

DESCRIPTORS = 200
HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def limit_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


def test_half_sent_requests_use_up_no_descriptors_and_no_log(tmp_path: Path) -> None:
    shoal = Shoal(tmp_path, SHOAL_WEB_TOKEN="a token of some length")
    pipes = {"stderr": subprocess.PIPE, "preexec_fn": limit_descriptors}
    with shoal.start("serve", "--port", 0, **pipes) as server, ExitStack() as held:
        try:
            assert server.stderr
            address = server.stderr.readline().split()[-1]
            place = (urlsplit(address).hostname, urlsplit(address).port)
            for number in range(2 * DESCRIPTORS):
                connection = held.enter_context(socket.create_connection(place, timeout=10))
                with suppress(OSError):  # it has been closed already
                    connection.sendall(HALF)
                if number % 50 == 0:
                    assert httpx.get(f"{address}healthz").status_code == 200
            assert httpx.get(f"{address}healthz").status_code == 200
        finally:
            server.terminate()
            said = server.communicate(timeout=30)[1]
    shoal.kill_all()
    # No traceback for each connection: nothing but what it says at its start.
    assert len(said.splitlines()) <= 3, said
