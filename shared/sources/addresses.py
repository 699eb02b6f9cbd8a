"""Connections to web servers, none of which leads into the own network unless that is allowed.

Whoever may submit a job makes workers ask servers, and the metadata service of a cloud, which has
the worker's credentials, is one. So it is the address that is checked, after its name was looked
up, and that very address is connected to.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable
from functools import cache

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason

FIRST_ANSWER_SECONDS = 5.0
# Between two parts of an answer.
SILENT_SECONDS = 30.0
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


class Connection(http.client.HTTPConnection):
    """A connection to an address that may be asked."""

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
        self.sock = _connect_any(found, self.port)
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
