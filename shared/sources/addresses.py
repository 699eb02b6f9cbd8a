"""Connections to web servers, none of which leads into the own network unless that is allowed.

Whoever may submit a job makes workers ask servers, and the metadata service of a cloud, which has
the worker's credentials, is one. So it is the address that is checked, after its name was looked
up, and that very address is connected to.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason

FIRST_ANSWER_SECONDS = 5.0
# Between two parts of an answer.
SILENT_SECONDS = 30.0
# For one answer, beside what its bytes take at the slowest rate that is waited for.
ANSWER_SECONDS = 60.0
SLOWEST_BYTES_PER_SECOND = 10_000
# Of an answer, beside its content.
MOST_HEAD_BYTES = 2**20
# A name can have thousands, each of which is tried for seconds.
MOST_ADDRESSES = 8
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


class _Bounded(io.RawIOBase):
    """What a server sends, which ends: after some bytes, and after some time."""

    def __init__(self, received: io.RawIOBase, connected: socket.socket) -> None:
        self._received, self._connected = received, connected
        self._began, self._n_bytes = time.monotonic(), 0
        self.most_bytes = MOST_HEAD_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        until = self._began + ANSWER_SECONDS + self._n_bytes / SLOWEST_BYTES_PER_SECOND
        left = until - time.monotonic()
        if left <= 0:
            raise OSError("the answer comes too slowly")
        if self._n_bytes > self.most_bytes:
            raise OSError("the answer has no end")
        self._connected.settimeout(min(SILENT_SECONDS, left))
        n_bytes: int | None = self._received.readinto(buffer)
        self._n_bytes += n_bytes or 0
        return n_bytes

    def close(self) -> None:
        self._received.close()
        super().close()


class Response(http.client.HTTPResponse):
    """An answer, whose head is bounded too: http.client waits for each byte of it anew."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._bounded = _Bounded(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self._bounded)

    def allow(self, n_bytes: int) -> None:
        """Allow a content of so many bytes, and as many around its chunks."""
        self._bounded.most_bytes += 2 * n_bytes


class Connection(http.client.HTTPConnection):
    """A connection to an address that may be asked."""

    response_class = Response

    def __init__(self, scheme: str, netloc: str, names_host: Callable[[str], bool]) -> None:
        """Prepare; nothing is sent yet.

        Args:
            scheme: "http" or "https".
            netloc: Host, and port if it is not that of the scheme.
            names_host: Whether the operator has named a host: then its address may be any.

        Raises:
            http.client.InvalidURL: The port is no number.
        """
        self._is_safe = scheme == "https"
        self.default_port = http.client.HTTPS_PORT if self._is_safe else http.client.HTTP_PORT
        super().__init__(netloc, timeout=SILENT_SECONDS)
        self._names_host = names_host

    def getresponse(self) -> Response:
        """Return the answer to what was asked."""
        return cast("Response", super().getresponse())

    def connect(self) -> None:
        """Connect to the first address of the host that answers.

        Raises:
            UnreadableImageError: One of them is of the own network.
            OSError: None answers.
        """
        addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        found = list(dict.fromkeys(str(address[4][0]) for address in addresses))
        if not self._names_host(self.host) and not all(map(is_public, found)):
            raise UnreadableImageError(
                FailureReason.OUTSIDE_ROOTS,
                f"the address of {self.host} is not public, and SHOAL_IMAGE_URLS does not name it",
            )
        self.sock = _connect_any(found[:MOST_ADDRESSES], self.port)
        self.sock.settimeout(SILENT_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._is_safe:
            self.sock = _trust().wrap_socket(self.sock, server_hostname=self.host)


def is_public(address: str) -> bool:
    """Return whether anybody can reach an address: not of this machine, nor of its network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        within = found.ipv4_mapped or found.sixtofour or _find_translated(found)
        # What is left is used by nobody, or within a network.
        found = within or found
        if not within and found not in GLOBAL_UNICAST:
            return False
    return found.is_global and not found.is_multicast


def _find_translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Find the IPv4 address that a gateway makes of an IPv6 address (NAT64, RFC 6052)."""
    return ipaddress.IPv4Address(address.packed[-4:]) if address in TRANSLATED else None


def _connect_any(addresses: list[str], port: int) -> socket.socket:
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), FIRST_ANSWER_SECONDS)
        except OSError:
            continue
    return socket.create_connection((addresses[-1], port), FIRST_ANSWER_SECONDS)


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
