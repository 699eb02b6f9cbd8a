"""Connections: how many there may be, and how long each may take to send a request.

Uvicorn bounds neither: connections that never complete a request, which need no token, would use
up the descriptors of the process.
"""

import asyncio
import resource
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# In which a request must have come, its body included.
REQUEST_SECONDS = 10.0
MOST_CONNECTIONS = 1000
# Connections that the kernel holds until they are accepted, and that are accepted in one go.
MOST_BACKLOG = 128

TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\n\r\n"


@dataclass
class Connections:
    """The connections of one server, which call this to make their protocol.

    Attributes:
        most: How many there may be. Half of the descriptors are for connections to Redis, files
            and decoders.
        backlog: How many may wait to be accepted.
        idle: Those from which no complete request has come, the one that waits longest first.
    """

    most: int
    backlog: int
    idle: OrderedDict["BoundedProtocol", None] = field(default_factory=OrderedDict)

    def __call__(self, **options: Any) -> "BoundedProtocol":
        """Make the protocol of a new connection."""
        return BoundedProtocol(self, **options)


def make_connections() -> Connections:
    """Make room for as many connections as the descriptors of this process allow."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return Connections(MOST_CONNECTIONS, MOST_BACKLOG)
    return Connections(
        min(MOST_CONNECTIONS, descriptors // 2), min(MOST_BACKLOG, max(descriptors // 4, 1))
    )


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, on a connection that must not idle in the midst of a request.

    One connection too many closes the one that has been idle for longest.
    """

    def __init__(self, all_connections: Connections, **options: Any) -> None:
        super().__init__(**options)
        self.all_connections = all_connections
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.all_connections.most:
            next(iter(self.all_connections.idle)).turn_away()

    def data_received(self, data: bytes) -> None:
        """Take what has come; with the end of a request, the time to send it has ended."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_watch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        is_idle = self.conn.their_state in {h11.IDLE, h11.SEND_BODY}
        if not is_idle or self.transport.is_closing():
            self._end_watch()
        elif not self._timer:
            self.all_connections.idle[self] = None
            self._timer = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _end_watch(self) -> None:
        self.all_connections.idle.pop(self, None)
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def turn_away(self) -> None:
        """Close the connection; say why, unless an answer has begun."""
        self._end_watch()
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(TOO_MANY)
        self.transport.close()
