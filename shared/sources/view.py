"""A view of an archive: parts of its bytes, read ahead where they follow each other closely."""

from collections.abc import Callable

# Parts that are read at once: the least where only headers far apart are wanted, more the longer
# they follow each other. A local file is in the system's memory, a request to a server takes 50 ms.
LOCAL_BYTES = (2**12, 2**18)
REMOTE_BYTES = (2**18, 2**23)


class View:
    """The bytes of an archive by ranges.

    Attributes:
        name: Of the archive, for messages.
        size: Of the archive, in bytes.
        bytes_read: How many were read so far.
    """

    def __init__(
        self,
        name: str,
        read_range: Callable[[int, int], bytes],
        size: int,
        ahead: tuple[int, int] = LOCAL_BYTES,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            name: Of the archive, for messages.
            read_range: Reads so many bytes from an offset on; fewer mean that it ends there.
            size: Of the archive, in bytes.
            ahead: Least and most bytes that are read at once.
        """
        self.name = name
        self.size = size
        self.bytes_read = 0
        self._read_range = read_range
        self._least, self._most = ahead
        self._ahead = self._least
        self._start = 0
        self._buffer = b""

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the archive; fewer than ``length`` where it ends."""
        place = offset - self._start
        if place < 0 or place + length > len(self._buffer):
            self._fill(offset, length)
            place = 0
        return self._buffer[place : place + length]

    def _fill(self, offset: int, length: int) -> None:
        """Read from ``offset`` on: more than before if that is near what was read last."""
        gap = offset - self._start - len(self._buffer)
        is_near = -len(self._buffer) <= gap <= self._ahead
        self._ahead = min(2 * self._ahead, self._most) if is_near else self._least
        wanted = min(max(length, self._ahead), max(self.size - offset, 0))
        self._start = offset
        self._buffer = self._read_range(offset, wanted) if wanted else b""
        self.bytes_read += len(self._buffer)
