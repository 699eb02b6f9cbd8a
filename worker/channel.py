"""The channel on which a worker receives messages: it closes whole, also without Redis."""

from kombu.transport import redis

from shared.connection import LOST


class LostChannel(redis.Channel):
    """A channel that can be closed once its connection is lost.

    kombu 5.7 gives up half way if it still waits for a message. Celery closes the channel once
    more, by then without its transport, and the AttributeError ended the worker: a restart of
    Redis could cost every worker that had messages at hand.
    """

    def close(self) -> None:
        """Close it; its messages are handed back as far as Redis lets us."""
        try:
            super().close()
        except LOST:
            super().close()  # it waits for nothing any more


def use_lost_channels() -> None:
    """Let all connections of this process have channels of this kind."""
    redis.Transport.Channel = LostChannel
