"""A server that speaks Azure's protocol of blobs: Azurite, from npm, as a process of its own."""

import hashlib
import hmac
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from polling import wait_until
from servers import find_free_port

AZURITE = "azurite@3"
# Known to everybody, and of no use elsewhere: https://learn.microsoft.com/azure/storage/common/
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
VERSION = "2021-12-02"


def install_azurite(directory: Path) -> Path:
    """Install Azurite where it is not yet; return the program.

    Raises:
        FileNotFoundError: There is no npm.
        subprocess.CalledProcessError: The registry does not answer.
    """
    program = directory / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(directory), AZURITE]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    return program


@contextmanager
def running_azurite(program: Path, home: Path) -> Iterator[dict[str, str]]:
    """Keep a server running; yield the variables by which programs find it."""
    port = find_free_port()
    command = [str(program), "--silent", "--skipApiVersionCheck", "--location", str(home)]
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(url), 60, "Azurite answers")
            yield {
                "AZURE_STORAGE_USE_EMULATOR": "true",
                "AZURITE_BLOB_STORAGE_URL": url,
                "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            }
        finally:
            process.kill()


def answers(url: str) -> bool:
    """Return whether a server answers, be it by a refusal."""
    try:
        urlopen(url).close()  # noqa: S310  of our own
    except HTTPError:
        return True
    except (URLError, ConnectionError):
        return False
    return True


def make_container(variables: dict[str, str], name: str) -> None:
    """Create a container, which is empty, by a request signed with the account's key."""
    path = f"/{ACCOUNT}/{name}"
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
    signed = [f"{key}:{value}" for key, value in sorted(headers.items())]
    text = "\n".join(["PUT", *[""] * 11, *signed, f"/{ACCOUNT}{path}", "restype:container"])
    digest = hmac.new(b64decode(KEY), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{b64encode(digest).decode()}"
    url = f"{variables['AZURITE_BLOB_STORAGE_URL']}{path}?restype=container"
    urlopen(Request(url, method="PUT", headers=headers)).close()  # noqa: S310  of our own
