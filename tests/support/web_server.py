"""The page's server in a thread of the test's process, on a port of its own."""

from collections.abc import Sequence
from threading import Thread

import httpx
from polling import wait_until

from shoal import Client
from shoal.producer.web.app import make_site
from shoal.producer.web.server import REPLY_SECONDS, make_server, open_socket
from shoal.shared.settings import Settings


class WebServer:
    """A server of one Redis; ``http`` asks it, with a program's headers."""

    def __init__(
        self,
        redis_url: str,
        token: str | None = None,
        settings: Settings | None = None,
        proxies: Sequence[str] = (),
    ) -> None:
        self.client = Client(
            redis_url, settings=settings or Settings(), reply_seconds=REPLY_SECONDS
        )
        self.site = make_site(self.client, token)
        self.server = make_server(self.site, proxies)
        self.listener = open_socket("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self.thread = Thread(target=self.server.run, kwargs={"sockets": [self.listener]})

    def __enter__(self) -> "WebServer":
        self.thread.start()
        wait_until(lambda: self.server.started)
        return self

    def __exit__(self, *error: object) -> None:
        self.site.closing.set()
        self.server.should_exit = True
        self.thread.join(30)
        self.http.close()
        self.client.close()
        assert not self.thread.is_alive()
