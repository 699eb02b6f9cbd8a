"""A server that speaks S3, as a process of its own, with its data in memory."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.error import URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import obstore
from obstore.store import S3Store
from polling import wait_until
from servers import find_free_port


class BucketServer:
    """Keeps buckets until it is stopped.

    Args:
        allowed: Requests that it answers to anyone; later ones need an account, and it has none.
    """

    def __init__(self, allowed: int | None = None) -> None:
        self.port = find_free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        settings = {} if allowed is None else {"INITIAL_NO_AUTH_ACTION_COUNT": str(allowed)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=settings,
        )
        wait_until(self.answers, what="the server of buckets answers")

    def answers(self) -> bool:
        """Return whether it can be used."""
        with suppress(URLError, ConnectionError):
            return bool(urlopen(f"{self.endpoint}/moto-api/").status)  # noqa: S310  of our own
        return False

    def make_bucket(self, url: str) -> None:
        """Create the bucket of a URL; it is empty."""
        self._ask("PUT", url)

    def delete_bucket(self, url: str) -> None:
        """Delete the bucket of a URL and all that is in it."""
        bucket = self._open(url)
        obstore.delete(bucket, [found["path"] for found in obstore.list(bucket).collect()])
        self._ask("DELETE", url)

    def put(self, url: str, name: str, data: bytes) -> None:
        """Replace an object below a URL."""
        obstore.put(self._open(url), name, data)

    def delete(self, url: str, name: str) -> None:
        """Delete an object below a URL."""
        obstore.delete(self._open(url), name)

    def put_marker(self, url: str) -> None:
        """Create an empty object at a URL, such as one that stands for a folder."""
        whole = urlsplit(url)
        address = f"{self.endpoint}/{whole.netloc}{quote(whole.path)}"
        urlopen(Request(address, data=b"", method="PUT")).close()  # noqa: S310  of our own

    def stop(self) -> None:
        """End it, with all that it has."""
        self.process.kill()
        self.process.wait()

    def _open(self, url: str) -> S3Store:
        return S3Store.from_url(
            url,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id="somebody",
            secret_access_key="a secret",
            client_options={"allow_http": True},
        )

    def _ask(self, method: str, url: str) -> None:
        address = f"{self.endpoint}/{urlsplit(url).netloc}"
        urlopen(Request(address, method=method)).close()  # noqa: S310  of our own


@contextmanager
def refusing(status: int, code: str, certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    """Yield the port of a server that answers whatever it is asked with an error.

    Args:
        status: Of the answer.
        code: The word for the error.
        certificate: Files of the server's certificate and of its key; None does without TLS.
    """

    class Refusal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(f"<Error><Code>{code}</Code></Error>".encode())

        def do_PUT(self) -> None:
            self.do_GET()

        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def make_variables(port: int) -> dict[str, str]:
    """Make the variables with which a process finds the server at a port."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "a secret",
        "AWS_REGION": "us-east-1",
    }
