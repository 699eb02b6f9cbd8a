"""The server: serves the application at an address of this machine, until it is stopped."""

import asyncio
import ipaddress
import logging
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Thread
from types import FrameType
from typing import cast

import click
import uvicorn

from shoal.producer.client import Client
from shoal.producer.signals import interruptible
from shoal.producer.web.access.origins import is_loopback
from shoal.producer.web.app import make_gated_app, make_site
from shoal.producer.web.connections import make_connections
from shoal.producer.web.site import Site
from shoal.shared.errors import ShoalError, StoreUnavailableError, UsageError
from shoal.shared.output.log import ACCESS, format_message, log_to_stderr
from shoal.shared.settings import Settings, read_settings

logger = logging.getLogger(__name__)

# Time in which event streams end by themselves.
END_SECONDS = 2
# A person waits for each answer of Redis: a longer silence is told to them.
REPLY_SECONDS = 5.0


class Server(uvicorn.Server):
    """Uvicorn that ends the site's event streams before it stops."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self.site = site

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Shut down by SIGHUP as by the others, if it interrupts this command."""
        with super().capture_signals():
            before = signal.getsignal(signal.SIGHUP)
            if before is not signal.default_int_handler:
                yield
                return
            signal.signal(signal.SIGHUP, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(signal.SIGHUP, before)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start to shut down."""
        self.site.closing.set()
        super().handle_exit(sig, frame)


def serve(host: str, port: int, proxies: Sequence[str] = (), *, access_log: bool = False) -> None:
    """Serve the web page and the API until this process is stopped.

    Args:
        host: Address to listen on; any other than loopback needs a token.
        port: Port to listen on; 0 takes any free one.
        proxies: As for ``make_server``.
        access_log: Whether each request is logged.

    Raises:
        UsageError: The address needs a token, or a proxy has none.
        ShoalError: The address cannot be used, or Redis does not answer.
    """
    settings = read_settings()
    _check_address(host, settings)
    _check_proxies(proxies)
    log_to_stderr(settings.log_format)
    if access_log:
        logging.getLogger(ACCESS).setLevel(logging.INFO)
    with (
        interruptible(),
        suppress(KeyboardInterrupt),
        open_socket(host, port) as listener,
        _connect(settings) as client,
    ):
        site = make_site(client, settings.web_token)
        _announce(host, listener.getsockname()[1], settings)
        with _sweep_in_background(site):
            make_server(site, proxies, access_log=access_log).run(sockets=[listener])


def _check_address(host: str, settings: Settings) -> None:
    """Raise UsageError if other machines can reach the address and there is no token."""
    if not is_loopback(host) and not settings.web_token:
        raise UsageError(
            f"At {host} anybody could submit jobs and see images: set SHOAL_WEB_TOKEN, for"
            " example to the output of `openssl rand -hex 24`, or leave --host at 127.0.0.1."
        )


def _check_proxies(proxies: Sequence[str]) -> None:
    """Raise UsageError if a proxy is no address and no network: a name would be trusted in vain."""
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise UsageError(
                f"--proxy {proxy}: expected an address such as 127.0.0.1, or a network such as"
                f" 10.0.0.0/8 ({error})."
            ) from error


def open_socket(host: str, port: int) -> socket.socket:
    """Open a socket that listens on an address.

    Raises:
        ShoalError: The address is in use, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), port), family=family)
        # asyncio sets this only if a socket names its protocol; without it each answer took 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise ShoalError(
            f"Cannot listen on {host}:{port} ({error.strerror}): choose another --port or --host."
        ) from error


def _connect(settings: Settings) -> Client:
    """Connect to Redis, with settings that do not give the token to the client's workers.

    Raises:
        ConnectionLostError: Redis does not answer.
    """
    known = replace(settings, web_token=None)
    return Client(settings=known, reply_seconds=REPLY_SECONDS).check_connection()


def _announce(host: str, port: int, settings: Settings) -> None:
    """Print the page's address, and a warning if the token gives access to all images."""
    shown = f"[{host}]" if ":" in host else host
    _say(settings, "INFO", f"Shoal is at http://{shown}:{port}/")
    if settings.web_token and not settings.image_roots:
        _say(
            settings,
            "WARNING",
            "Anybody with the token can see any image on this machine: set SHOAL_IMAGE_ROOTS to"
            " limit that.",
        )


def _say(settings: Settings, level: str, message: str) -> None:
    click.echo(format_message(settings.log_format, level, message), err=True)


def make_server(site: Site, proxies: Sequence[str] = (), *, access_log: bool = False) -> Server:
    """Make a server for a site, which answers on the sockets that ``run`` is given.

    Args:
        site: What to serve.
        proxies: Addresses whose word on a client's address and protocol is taken.
        access_log: Whether each request is logged, as information of uvicorn.access.
    """
    connections = make_connections()
    config = uvicorn.Config(
        make_gated_app(site),
        # Uvicorn calls what it takes for a class.
        http=cast(type[asyncio.Protocol], connections),
        backlog=connections.backlog,
        # Not what else is installed: it would speak with other bounds, and what is no HTTP
        # passes the gate.
        loop="asyncio",
        ws="none",
        workers=1,  # whatever WEB_CONCURRENCY says
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        log_config=None,  # who serves has set the log up
        access_log=access_log,
        server_header=False,
        timeout_graceful_shutdown=END_SECONDS,
    )
    return Server(config, site)


@contextmanager
def _sweep_in_background(site: Site) -> Iterator[None]:
    """Sweep in a thread until the end of this context."""
    thread = Thread(target=_sweep_until_closed, args=[site], daemon=True)
    thread.start()
    try:
        yield
    finally:
        site.closing.set()
        thread.join(END_SECONDS)


def _sweep_until_closed(site: Site) -> None:
    """Every few seconds, send lost work again, start missing workers, share ended sessions."""
    client = site.client
    site.swept_at = time.monotonic()
    while not site.closing.wait(client.settings.sweep_seconds):
        try:
            client.sweeper.sweep()
            if client.is_embedded and client.registry.active_jobs():
                client.workers.ensure_running()
            site.share_ended_sessions()
        except StoreUnavailableError as error:
            logger.warning("could not check for lost work: %s", error)
        except Exception:
            # Whatever it is, the next round must come: without it, lost work would stay lost.
            logger.exception("could not check for lost work")
        site.swept_at = time.monotonic()
