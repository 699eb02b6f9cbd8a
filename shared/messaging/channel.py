"""The channel of all messages: it keeps its client, and closes whole also without Redis."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kombu.transport import redis

from shoal.shared.connection import LOST

logger = logging.getLogger(__name__)

# What kombu meets in a message that is not its own: no JSON, or no envelope.
NO_MESSAGE = (AttributeError, LookupError, TypeError, ValueError)
MOST_CHARACTERS = 200  # of a cause in the log


class Channel(redis.Channel):
    """kombu's channel to Redis, mended in three places."""

    _kept: Any = None

    def close(self) -> None:
        """Close it; its messages are handed back as far as Redis lets us.

        kombu 5.7 gives up half way if it still waits for a message. Celery closes the channel
        once more, by then without its transport, and the AttributeError ended the worker: a
        restart of Redis could cost every worker that had messages at hand.
        """
        try:
            super().close()
        except LOST:
            super().close()  # it waits for nothing any more

    def _brpop_read(self, **options: Any) -> Any:
        """Receive a message; what is none is dropped.

        kombu 5.7 lets the error pass, which ended the worker.
        """
        channel: Any = super()
        try:
            return channel._brpop_read(**options)
        except NO_MESSAGE as error:
            cause = f"{type(error).__name__}: {error}"[:MOST_CHARACTERS]
            logger.error("message dropped", extra={"cause": cause})
            return None

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """Yield ``client``, or else one on the channel's pool of connections.

        kombu 5.7 makes one for each message that is sent, received or acknowledged, which takes
        a sixth of the time of sending it.
        """
        if client:
            yield client
            return
        if self._kept is None or self._kept.connection_pool is not self.pool:
            with super().conn_or_acquire() as self._kept:
                pass  # the pool has the connections: leaving closes nothing
        yield self._kept


def use_channel() -> None:
    """Let all connections of this process have channels of this kind."""
    redis.Transport.Channel = Channel
