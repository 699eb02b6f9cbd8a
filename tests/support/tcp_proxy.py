"""A TCP proxy on the loopback interface whose connections a test may cut, and mend."""

import socket
import struct
import threading
from contextlib import suppress

PIECE_BYTES = 2**16
# SO_LINGER with no time to linger: closing tells the other side by a reset.
RESET = struct.pack("ii", 1, 0)


class TcpProxy:
    """Stands between whoever connects to ``port`` and a server on ``target_port``."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.sockets: set[socket.socket] = set()
        self.refusing = False
        self.passing = threading.Event()
        self.passing.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The Redis behind it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self, how: str) -> None:
        """Cut all connections: by a "reset", of new ones too, or by "silence"."""
        if how == "reset":
            self._reset()
        else:
            self.passing.clear()

    def _reset(self) -> None:
        self.refusing = True
        for end in list(self.sockets):
            self._break(end)

    def mend(self) -> None:
        """Let new connections be, and pass on what a silence held back."""
        self.refusing = False
        self.passing.set()

    def close(self) -> None:
        """End for good."""
        # Wakes the thread that accepts, which closing alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._reset()
        self.passing.set()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                self._connect(self.listener.accept()[0])

    def _connect(self, near: socket.socket) -> None:
        self.sockets.add(near)
        if self.refusing:
            self._break(near)
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.target_port))
        except OSError:  # the server is away
            self._break(near)
            return
        self.sockets.add(far)
        for ends in ((near, far), (far, near)):
            threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                self.passing.wait()
                sink.sendall(piece)
        for end in (source, sink):
            self._break(end)

    def _break(self, end: socket.socket) -> None:
        self.sockets.discard(end)
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            # Wakes the thread that reads from it, as above.
            end.shutdown(socket.SHUT_RD)
            end.close()
