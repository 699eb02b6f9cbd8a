"""A broker that delivers the messages of a queue as often as a file says: twice, or never."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from kombu.transport.redis import Channel

put: Any = Channel._put


def copies_of(queue: str) -> str:
    """Return the name of the file that says how often a queue's messages are delivered."""
    return f"copies-of-{queue}"


def deliver_unreliably(faults: Path) -> None:
    """Let this process send as many copies as the files in ``faults`` say."""

    def put_copies(channel: Channel, queue: str, message: Any, **options: Any) -> None:
        n_copies = 1
        with suppress(FileNotFoundError):
            n_copies = int((faults / copies_of(queue)).read_text())
        for _ in range(n_copies):
            put(channel, queue, message, **options)

    Channel._put = put_copies  # type: ignore[assignment, method-assign]
