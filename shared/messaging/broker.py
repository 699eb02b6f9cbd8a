"""The Celery application: the same settings for producers and workers."""

from typing import Any

from celery import Celery
from celery.app import backends
from celery.backends.redis import RedisBackend
from celery.loaders.app import AppLoader
from kombu import Exchange, Queue
from kombu.utils.functional import retry_over_time
from redis import RedisError

from shoal.shared.messaging.channel import use_channel
from shoal.shared.redis.client import LOST, explain
from shoal.shared.redis.connection import broker_url, check_url
from shoal.shared.store.keys import CELERY
from shoal.shared.tasks import BATCHES, PRIORITIES, QUEUES

DAY_SECONDS = 86_400
# Longer than any batch or fit; the sweeper finds lost work long before.
VISIBILITY_SECONDS = 900


class ChordBackend(RedisBackend):
    """A result backend that only counts the parts of chords.

    Celery 5.7 counts them without a retry, so that any restart of Redis failed the chord. It also
    subscribes to the result of each task of a chord, which nothing here waits for.
    """

    def on_chord_part_return(self, *args: Any, **kwargs: Any) -> None:
        """Count one part, retrying for up to a minute; while Redis refuses, count none."""
        # An error raised here would keep its message's slot in the worker for good. The sweeper
        # sends the callback of a chord that did not count all parts.
        try:
            retry_over_time(
                super().on_chord_part_return,
                LOST,
                args,
                kwargs,
                interval_start=0.1,
                interval_step=0.2,
                interval_max=1,
                timeout=60,
            )
        except RedisError as error:
            if not explain(error):
                raise

    def add_pending_result(self, result: Any, *_: Any, **__: Any) -> Any:
        """Subscribe to nothing: the ledger says when a job has ended."""
        return result

    def remove_pending_result(self, result: Any) -> Any:
        """Unsubscribe from nothing."""
        return result

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Subscribe to nothing when a single task is sent."""


class Loader(AppLoader):
    """Reads no configuration, neither ``celeryconfig.py`` nor another module of the user's."""

    def read_configuration(self, env: str = "") -> dict[str, Any]:  # noqa: ARG002  Celery's signature
        """Read nothing: all is in ``CONFIGURATION``."""
        return {}


class Application(Celery):
    """An application that uses the Redis it was given, whatever the environment says.

    Celery 5.7 prefers ``CELERY_BROKER_URL`` and the like, which are those of a project of the
    user's own, to what an application is made with.

    Attributes:
        redis_url: As redis-py spells it. It is not in ``conf``, which ``celery report`` shows.
    """

    redis_url: str

    def _get_backend(self) -> Any:
        found: Any = backends.by_url(self.conf["result_backend"], self.loader)
        backend, url = found
        return backend(app=self, url=url)

    def connection_for_read(self, url: Any = None, **options: Any) -> Any:
        """Return a connection to the Redis of this application."""
        return super().connection_for_read(url or self.conf["broker_url"], **options)

    def connection_for_write(self, url: Any = None, **options: Any) -> Any:
        """Return a connection to the Redis of this application."""
        return super().connection_for_write(url or self.conf["broker_url"], **options)


def make_app(redis_url: str) -> Application:
    """Return the application for one Redis; nothing connects before the first message.

    Raises:
        SettingsError: The URL is not one of Redis.
    """
    check_url(redis_url)
    use_channel()
    broker = broker_url(redis_url)
    app = Application(
        "shoal",
        broker=broker,
        backend=backend_url(broker),
        loader=Loader,
        fixups=[],  # none for Django, which a project of the user's own may use
        # The current application of a program that uses ours as a library stays what it is.
        set_as_current=False,
    )
    app.conf.update(CONFIGURATION)
    app.redis_url = redis_url
    # Celery passes this on for unix sockets too, and redis-py refuses it there.
    app.conf.redis_socket_keepalive = not redis_url.startswith("unix")
    return app


def backend_url(broker: str) -> str:
    """Return the URL of the result backend that belongs to a broker."""
    url = broker.removeprefix("redis+")
    return f"{ChordBackend.__module__}:{ChordBackend.__qualname__}+{url}"


CONFIGURATION: dict[str, Any] = {
    "task_queues": tuple(
        Queue(name, Exchange(name), routing_key=name)
        for names in QUEUES.values()
        for name in names.values()
    ),
    "task_default_queue": BATCHES,
    "task_create_missing_queues": False,
    # JSON only: a pickle in the queue would be code in the worker.
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    # A message is acknowledged once its work is committed, and kept if the child process dies.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    # The ledger has the results; one stored by Celery could hang a chord (see messages.py).
    "task_ignore_result": True,
    # One batch at work and the next fetched. With 1, a process idles while it is fetched. With
    # more, messages age in a busy worker until they are delivered twice.
    "worker_prefetch_multiplier": 2,
    # A chord's counters must outlive the longest gap between two batches.
    "result_expires": 7 * DAY_SECONDS,
    "result_chord_expires": 7 * DAY_SECONDS,
    "broker_transport_options": {
        "global_keyprefix": CELERY,
        "priority_steps": list(PRIORITIES.values()),
        "visibility_timeout": VISIBILITY_SECONDS,
        # By default, unacknowledged messages are only looked for every 100 s.
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 60,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
    },
    "result_backend_transport_options": {"global_keyprefix": CELERY},
    "redis_socket_timeout": 60,
    "redis_retry_on_timeout": True,
    "redis_backend_health_check_interval": 25,
    # A worker waits for Redis as long as it takes.
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    # It also waits while Redis is full: otherwise it would end at the first message that it cannot
    # mark as delivered. That message is lost, and the sweeper sends it again.
    "broker_channel_error_retry": True,
    # True would kill running batches and acknowledge their messages: they would never be done.
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    # A worker that is told to stop gives back what it could not finish.
    "worker_soft_shutdown_timeout": 10.0,
    "worker_enable_soft_shutdown_on_idle": False,
    # Otherwise everybody who can write to Redis could command the workers; we never need it.
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    # Decoders may leak memory: child processes are replaced now and then.
    "worker_max_tasks_per_child": 1000,
}
