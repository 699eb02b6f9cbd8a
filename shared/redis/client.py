"""The client of Redis: what passes is one kind of error, whichever command meets it."""

from collections.abc import Callable
from typing import Any

from redis import AuthenticationError, Redis, RedisError
from redis import ConnectionError as RedisConnectionError
from redis import TimeoutError as RedisTimeoutError
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from shoal.shared.errors import (
    ConnectionLostError,
    StoreFullError,
    StoreUnavailableError,
    TooLargeError,
)

LOST = (RedisConnectionError, RedisTimeoutError)
# A server's limit on what it is sent is never lower: see proto-max-bulk-len.
LEAST_LIMIT_BYTES = 2**20
GOES_ON = "Waiting work then continues by itself."
# The first words of replies by which a server refuses for a while.
PASSING = {
    "READONLY": "it is a replica, which takes no writes: let SHOAL_REDIS_URL name its primary",
    "NOREPLICAS": "too few replicas follow it: start them, or lower its min-replicas-to-write",
    "BUSY": "another program's script keeps it busy",
    "UNKILLABLE": "another program's script keeps it busy",
    "MASTERDOWN": "it is a replica that has lost its primary: start that",
    "CLUSTERDOWN": "a part of its cluster is down: start that",
    "TRYAGAIN": "its cluster is moving keys",
}


class PassingClient(Redis):
    """A client that raises StoreUnavailableError for what may work later, and no other does.

    Every other error is redis-py's own.
    """

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command, and return its reply."""
        run: Callable[..., Any] = super().execute_command
        return _run(self, lambda: run(*args, **options), [args])

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "PassingPipeline":
        """Make a pipeline of this client."""
        pool, callbacks = self.connection_pool, self.response_callbacks
        return PassingPipeline(pool, callbacks, transaction, shard_hint)


class PassingPipeline(Pipeline):
    """A pipeline that raises what its client would."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send the commands, and return their replies."""
        commands = list(self.command_stack)
        run = super().execute

        def send() -> Any:
            self.command_stack = list(commands)  # redis-py forgets them after an error
            return run(raise_on_error)

        replies: list[Any] = _run(self, send, [arguments for arguments, _ in commands])
        return replies


def _run(client: Redis, send: Callable[[], Any], commands: list[tuple[Any, ...]]) -> Any:
    try:
        try:
            return send()
        except RedisConnectionError as error:
            if not _may_be_limit(error, client, commands):
                raise
            return _send_again(client, send, commands)
    except RedisError as error:
        # What the server says of a limit, if it is read before the connection is closed.
        if _take_apart(error)[1].startswith("Protocol error: invalid"):
            raise _too_large(commands) from error
        if passing := explain(error):
            raise passing from error
        raise


def _send_again(client: Redis, send: Callable[[], Any], commands: list[tuple[Any, ...]]) -> Any:
    """Send once more what met a cut connection: an outage has an end, a limit on the size has not.

    A server that is sent more than its limit closes the connection, and its reply may be lost.
    """
    try:
        return send()
    except RedisConnectionError as error:
        if not _may_be_limit(error, client, commands):
            raise
        raise _too_large(commands) from error


def _may_be_limit(error: Exception, client: Redis, commands: list[tuple[Any, ...]]) -> bool:
    """Return whether much was sent, the connection was cut, and the server answers all the same."""
    # Of other classes are servers that still load their data, or want a password. A timeout is a
    # slow network.
    is_cut = type(error) is RedisConnectionError
    return is_cut and _count_bytes(commands) >= LEAST_LIMIT_BYTES and _answers(client)


def _count_bytes(commands: list[tuple[Any, ...]]) -> int:
    parts = (part for command in commands for part in command)
    return sum(len(part) for part in parts if isinstance(part, bytes | str))


def _too_large(commands: list[tuple[Any, ...]]) -> TooLargeError:
    return TooLargeError(
        f"Redis closes the connection whenever it is sent {_count_bytes(commands) / 2**20:.1f} MB:"
        " raise its proto-max-bulk-len (and client-query-buffer-limit), or use a smaller"
        " `batch_size` or `image_size`."
    )


def _answers(client: Redis) -> bool:
    """Return whether the server answers to a new connection now."""
    pool = client.connection_pool
    options = {**pool.connection_kwargs, "retry": Retry(NoBackoff(), 0)}
    connection = pool.connection_class(**options)
    try:
        connection.connect()
        connection.send_command("PING", check_health=False)
        connection.read_response()
    except (RedisError, OSError):
        return False
    finally:
        connection.disconnect()
    return True


def explain(error: BaseException) -> StoreUnavailableError | None:
    """Explain an error of Redis that passes; None for any other."""
    if isinstance(error, AuthenticationError) or not isinstance(error, RedisError):
        return None
    if isinstance(error, LOST):
        return ConnectionLostError(f"Redis does not answer ({error}).")
    code, cause = _take_apart(error)
    if code == "OOM":
        return StoreFullError(
            "Redis is full: raise its maxmemory, or shorten SHOAL_FEATURES_SECONDS for the jobs"
            f" to come. {GOES_ON}"
        )
    if code == "MISCONF":
        return StoreFullError(
            f"Redis cannot write its file: make room on its disk ({cause}). {GOES_ON}"
        )
    if code in PASSING:
        return StoreUnavailableError(f"Redis refuses for now: {PASSING[code]}. {GOES_ON}")
    return None


def _take_apart(error: RedisError) -> tuple[str, str]:
    """Return the code that a reply began with, and what followed it."""
    # A pipeline puts the command before what the server said; redis-py takes known codes off.
    said = str(error).rpartition("caused error: ")[2]
    code = error.status_code or said.partition(" ")[0]
    return code, said.removeprefix(f"{code} ").strip()
