"""A server that speaks S3, as a process of its own, with its data in memory."""

import subprocess
import sys
from contextlib import suppress
from urllib.error import URLError
from urllib.parse import urlsplit
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


def make_variables(port: int) -> dict[str, str]:
    """Make the variables with which a process finds the server at a port."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "a secret",
        "AWS_REGION": "us-east-1",
    }
