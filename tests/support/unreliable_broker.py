"""A broker that delivers the messages of a queue as often as a file says: twice, or never."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from kombu.transport.redis import Channel

from shoal.shared.messaging.envelope import Part, Task
from shoal.shared.messaging.messages import Messages

put: Any = Channel._put
send = Messages._send


def copies_of(queue: str) -> str:
    """Return the name of the file that says how often a queue's messages are delivered."""
    return f"copies-of-{queue}"


def deliver_unreliably(faults: Path) -> None:
    """Let this process send as many copies as the files in ``faults`` say."""

    def copies(queue: str) -> range:
        n_copies = 1
        with suppress(FileNotFoundError):
            n_copies = int((faults / copies_of(queue)).read_text())
        return range(n_copies)

    def put_copies(channel: Channel, queue: str, message: Any, **options: Any) -> None:
        for _ in copies(queue):
            put(channel, queue, message, **options)

    def send_copies(messages: Messages, tasks: Iterable[tuple[Task, Part]]) -> None:
        send(messages, (sent for sent in tasks for _ in copies(sent[0].queue)))

    # What Celery sends, a chord's callback, and what we send.
    Channel._put = put_copies  # type: ignore[assignment, method-assign]
    Messages._send = send_copies  # type: ignore[assignment, method-assign]
