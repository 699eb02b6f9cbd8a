"""Connections to Redis: one URL, understood by redis-py and by Celery alike."""

import re
from typing import cast
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from redis import AuthenticationError, ConnectionPool, RedisError, ResponseError
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from shoal.shared.errors import ConnectionLostError, SettingsError, UsageError
from shoal.shared.redis.client import LOST, PassingClient
from shoal.shared.redis.commands import RedisClient as RedisClient

SCHEMES = ("redis", "rediss", "unix")
# Pauses of 0.05, 0.1, … 1, 1, … seconds: about a minute, in which a Redis can restart.
PATIENT_RETRIES = 60
QUICK_RETRIES = 5
# A script on a large job, or a slow disk, may take long.
REPLY_SECONDS = 60.0
# For the first reply: what listens there may be no Redis, and may never answer.
GREETING_SECONDS = 5.0
# What has a meaning in a URL, and so must be escaped in a password.
SPECIAL = "@ / : ? # % [ ]"
PASSWORD = re.compile(r"((?:username|password)=)[^&]*")
# Older versions do not know the first line of our scripts.
LEAST_VERSION = 7


def connect(
    url: str,
    retries: int = PATIENT_RETRIES,
    timeout_seconds: float = REPLY_SECONDS,
    retry_on: tuple[type[RedisError], ...] = LOST,
) -> RedisClient:
    """Make a client that tries each command again while Redis restarts.

    It connects with the first command, not before.

    Args:
        url: Of the server.
        retries: How often a command is tried again.
        timeout_seconds: Longest time to wait for a reply, or for the TLS handshake.
        retry_on: The errors after which a command is tried again.

    Raises:
        SettingsError: The URL is not a Redis URL.
    """
    check_url(url)
    client = PassingClient.from_url(
        url,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries, retry_on),
        retry_on_error=list(retry_on),
        socket_timeout=timeout_seconds,
        # A batch of features in one read: the default is 64 KiB, and took up to four times as long.
        socket_read_size=2**22,
        **({} if url.startswith("unix") else {"socket_connect_timeout": 5}),
    )
    return cast(RedisClient, client)


def check_url(url: str) -> None:
    """Raise SettingsError unless redis-py and Celery understand ``url``, and in the same way."""
    scheme, separator, _ = url.partition("://")
    if scheme not in SCHEMES or not separator or not _is_clear(url) or not _is_parsed(url):
        expected = (
            "redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix:///PATH. In a password, each"
            f" {SPECIAL} must be written {quote(SPECIAL, safe=' ')}; or leave the password out,"
            " and name a file that has it in SHOAL_REDIS_PASSWORD_FILE"
        )
        raise SettingsError(f"SHOAL_REDIS_URL is {_show_refused(url)}; expected {expected}.")


def _is_clear(url: str) -> bool:
    """Return whether no part of a password can have become another part of ``url``.

    ``redis://:1234/5@host`` is a valid URL: of port 1234, without a host and a password.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    _, at, host = parts.netloc.rpartition("@")
    elsewhere = PASSWORD.sub("", parts.query)
    if parts.scheme == "unix":
        return "#" not in url and not host and "@" not in elsewhere
    is_only_port = host.startswith(":") and not at
    return not is_only_port and "#" not in url and "@" not in f"{parts.path}{elsewhere}"


def _is_parsed(url: str) -> bool:
    """Return whether redis-py understands ``url``; nothing is sent."""
    try:
        ConnectionPool.from_url(url).make_connection()
    except (RedisError, TypeError, ValueError):  # whose texts may quote a part of the password
        return False
    return True


def _show_refused(url: str) -> str:
    """Show what surely is no password in a URL of which it is not clear where its parts end."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES:
        return "of another kind"
    host = rest.rpartition("@")[2] if re.fullmatch(r"[^?#]*@[\w.:-]*", rest) else ""
    return f"{scheme}://…@{host}" if host else f"{scheme}://…"


def hide_password(url: str) -> str:
    """Hide user name and password of a ``url`` that is valid."""
    address, mark, query = url.partition("?")
    shown = re.sub(r"//.*@", "//…@", address, flags=re.DOTALL)
    return shown + mark + PASSWORD.sub(r"\1…", query)


def broker_url(url: str) -> str:
    """Return ``url`` as Celery spells the URL of a broker."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    scheme = parts.scheme
    if scheme == "unix":
        scheme = "redis+socket"
        query["virtual_host"] = query.pop("db", "0")
    elif scheme == "rediss":
        # Celery refuses to guess; redis-py's default is the safe one.
        query.setdefault("ssl_cert_reqs", "required")
    # urlunsplit drops the slashes of an empty host, which a socket's URL has.
    credentials = _take_credentials(query)
    netloc = parts.netloc if "@" in parts.netloc else credentials + parts.netloc
    rest = f"{netloc}{parts.path}"
    return f"{scheme}://{rest}?{urlencode(query)}" if query else f"{scheme}://{rest}"


def _take_credentials(query: dict[str, str]) -> str:
    """Take user name and password out of a URL's query; return them as they stand before a host.

    redis-py reads them in either place, Celery only before the host.
    """
    user, password = query.pop("username", ""), query.pop("password", "")
    return f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""


def check_server(url: str) -> None:
    """Check that a Redis answers at ``url``, and that it is new enough.

    Raises:
        ConnectionLostError: It does not answer, or rejects the password.
        UsageError: It is too old.
    """
    try:
        with connect(url, QUICK_RETRIES, GREETING_SECONDS) as client:
            fault = _describe_age(client)
    except AuthenticationError:
        raise ConnectionLostError(describe_refusal(url)) from None
    except ConnectionLostError as error:
        raise ConnectionLostError(
            f"No Redis answers at {hide_password(url)} ({error.__cause__}): start it, or set"
            " SHOAL_REDIS_URL."
        ) from error
    if fault:
        raise UsageError(f"{fault}.")


def describe_refusal(url: str) -> str:
    """Describe that the Redis at ``url`` does not let its user in, with the remedy."""
    # Not in the words of Redis, which are about commands of its protocol.
    return (
        f"{hide_password(url)} needs a password, or another one: set SHOAL_REDIS_URL to"
        " redis://:PASSWORD@HOST:PORT/DB, or SHOAL_REDIS_PASSWORD_FILE to a file with the password."
    )


def _describe_age(client: RedisClient) -> str | None:
    """Return how the server is too old, and the remedy; None if it is new enough."""
    try:
        version = str(client.info("server").get("redis_version"))
    except ResponseError:
        return None  # a managed Redis may hide it
    major = version.partition(".")[0]
    # A server that does not tell its version is trusted.
    if not major.isdecimal() or int(major) >= LEAST_VERSION:
        return None
    return f"Redis {version} is too old: use Redis {LEAST_VERSION} or newer, or Valkey"


def describe_faults(client: RedisClient) -> list[str]:
    """Describe what is wrong with the server, each fault with its remedy.

    A policy that evicts keys was seen to drop the queue itself; without the append-only file, a
    restart loses every job.
    """
    faults = [fault] if (fault := _describe_age(client)) else []
    try:
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
        aof = client.config_get("appendonly").get("appendonly", "yes")
    except ResponseError:
        return faults  # a managed Redis may hide its settings
    if policy != "noeviction":
        remedy = "CONFIG SET maxmemory-policy noeviction"
        faults.append(f"Redis may evict queued work (maxmemory-policy {policy}): {remedy}")
    if aof != "yes":
        faults.append("Redis forgets every job when it restarts: CONFIG SET appendonly yes")
    return faults
