"""The server: the application at an address of this machine, until it is told to stop."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Thread
from types import FrameType

import click
import uvicorn

from shoal.producer.client import Client
from shoal.producer.signals import interruptible
from shoal.producer.web.access.origins import is_loopback
from shoal.producer.web.app import make_gated_app, make_site
from shoal.producer.web.site import Site
from shoal.shared.errors import ShoalError, UsageError
from shoal.shared.settings import Settings, read_settings
from shoal.shared.store.errors import PASSING

logger = logging.getLogger(__name__)

# Streams end by themselves within this time.
END_SECONDS = 2


class Server(uvicorn.Server):
    """Uvicorn, which lets the site's streams end when it ends."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self.site = site

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self.site.closing.set()
        super().handle_exit(sig, frame)


def serve(host: str, port: int) -> None:
    """Serve the page until this process is told to stop.

    Args:
        host: Address to listen at; other than loopback it needs a token.
        port: Port; 0 is any that is free.

    Raises:
        UsageError: The address needs a token.
        ShoalError: The address cannot be used, or no Redis answers.
    """
    settings = read_settings()
    _check_address(host, settings)
    with (
        interruptible(),
        suppress(KeyboardInterrupt),
        open_socket(host, port) as listener,
        _connect(settings) as client,
    ):
        site = make_site(client, settings.web_token)
        _announce(host, listener.getsockname()[1], settings)
        with _sweep_in_background(site):
            make_server(site).run(sockets=[listener])


def _check_address(host: str, settings: Settings) -> None:
    """Refuse to let strangers in.

    Raises:
        UsageError: The address can be reached from elsewhere, and there is no token.
    """
    if not is_loopback(host) and not settings.web_token:
        raise UsageError(
            f"At {host} anybody could submit jobs and see images: set SHOAL_WEB_TOKEN, for"
            " example to what `openssl rand -hex 24` prints, or leave --host at 127.0.0.1."
        )


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address.

    Raises:
        ShoalError: It is taken, or none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), port), family=family)
        # asyncio sets it only where a socket names its protocol; each answer took 40 ms without.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise ShoalError(
            f"Cannot listen at {host}:{port} ({error.strerror}): name another --port or --host."
        ) from error


def _connect(settings: Settings) -> Client:
    """Return a client whose workers, if it has some, do not learn the token.

    Raises:
        ConnectionLostError: Redis does not answer.
    """
    return Client(settings=replace(settings, web_token=None)).check_connection()


def _announce(host: str, port: int, settings: Settings) -> None:
    """Say where the page is, and what is worth knowing about it."""
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"Shoal is at http://{shown}:{port}/", err=True)
    if settings.web_token and not settings.image_roots:
        click.echo(
            "Whoever has the token may have any image read: SHOAL_IMAGE_ROOTS limits that.",
            err=True,
        )


def make_server(site: Site) -> Server:
    """Return what answers requests at the sockets that it is run with."""
    config = uvicorn.Config(
        make_gated_app(site),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=END_SECONDS,
    )
    return Server(config, site)


@contextmanager
def _sweep_in_background(site: Site) -> Iterator[None]:
    """Look after lost work, ended sessions, and workers on the embedded server, meanwhile."""
    thread = Thread(target=_sweep_until_closed, args=[site], daemon=True)
    thread.start()
    try:
        yield
    finally:
        site.closing.set()
        thread.join(END_SECONDS)


def _sweep_until_closed(site: Site) -> None:
    """Do what ``shoal status`` does for a job's sake, and share endings, every few seconds."""
    client = site.client
    while not site.closing.wait(client.settings.sweep_seconds):
        try:
            client.sweeper.sweep()
            if client.is_embedded and client.registry.active_jobs():
                with site.workers_lock:
                    client.workers.ensure_running()
            site.share_ended_sessions()
        except (*PASSING, ShoalError) as error:
            logger.warning("could not look after the jobs: %s", error)
