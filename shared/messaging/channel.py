"""kombu's channel to Redis, with three defects mended."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kombu.transport import redis

from shoal.shared.redis.client import LOST

logger = logging.getLogger(__name__)

# What kombu raises at a message that it did not make: not JSON, or without its envelope.
NO_MESSAGE = (AttributeError, LookupError, TypeError, ValueError)
MOST_CHARACTERS = 200  # of a cause in the log


class Channel(redis.Channel):
    """A channel that keeps its client, drops what is no message, and closes while Redis is down."""

    _kept: Any = None

    def close(self) -> None:
        """Close the channel; its messages are given back if Redis can be reached.

        kombu 5.7 stops half way if the channel still waits for a message. Celery closes the channel
        once more, by then without its transport, and the AttributeError ended the worker: a
        restart of Redis could cost every worker that had messages at hand.
        """
        try:
            super().close()
        except LOST:
            super().close()  # by now, it waits for nothing

    def _brpop_read(self, **options: Any) -> Any:
        """Receive a message; drop what is not a message.

        kombu 5.7 lets the error pass, and the worker ended.
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
        """Yield ``client``, or else the channel's own, on its pool of connections.

        kombu 5.7 makes a client for each message that is sent, received or acknowledged, which
        takes a sixth of the time of sending it.
        """
        if client:
            yield client
            return
        if self._kept is None or self._kept.connection_pool is not self.pool:
            with super().conn_or_acquire() as self._kept:
                pass  # the pool keeps the connections: leaving closes nothing
        yield self._kept


def use_channel() -> None:
    """Use this class for all channels of this process."""
    redis.Transport.Channel = Channel
