from contextlib import suppress
from typing import Any

from kombu import Connection, Queue
from servers import Server

from shoal.shared.messaging.broker import make_app
from shoal.shared.redis.client import LOST
from shoal.shared.tasks import BATCHES


def receive_one(connection: Connection, queue: Queue) -> Any:
    """Return a channel with a message at hand, which waits for the next one."""
    received: list[object] = []
    with connection.Producer() as producer:
        producer.publish(
            {}, exchange=queue.exchange, routing_key=queue.routing_key, declare=[queue]
        )
    consumer = connection.Consumer([queue], accept=["json"])
    consumer.register_callback(lambda _, message: received.append(message))
    consumer.consume()
    while not received:
        connection.drain_events(timeout=30)
    channel: Any = connection.default_channel
    if not channel._in_poll:
        channel._brpop_start()
    return channel


def test_a_lost_channel_with_a_message_at_hand_is_closed_at_the_first_call(
    own_server: Server,
) -> None:
    own_server.start()
    with make_app(own_server.url) as app:
        connection = app.connection_for_read()
        channel = receive_one(connection, app.amqp.queues[BATCHES])
        own_server.stop()
        with suppress(*LOST):  # as Celery does
            channel.close()
        # Closed later, without its transport, it would end the worker.
        assert channel.closed


def test_a_channel_keeps_its_client_as_long_as_its_connections(own_server: Server) -> None:
    own_server.start()
    with make_app(own_server.url) as app, app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        with channel.conn_or_acquire() as client, channel.conn_or_acquire() as again:
            assert again is client
            assert client is not channel.client  # which waits for messages
        channel._disconnect_pools()
        with channel.conn_or_acquire() as client:
            assert client is not again
            assert client.ping()
