"""Images on web servers, by HTTP, each at a URL of its own."""

import http.client
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from shoal.shared.buckets.replies import BEYOND_THE_END
from shoal.shared.errors import SourceError, SourceUnavailableError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.redis.client import GOES_ON
from shoal.shared.sources.addresses import Connection
from shoal.shared.sources.paths import join
from shoal.shared.sources.policy import WEB, UrlPolicy
from shoal.shared.sources.store import Listed, check_size, make_version

RETRY_SECONDS = 20.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
DENIED = frozenset({401, 402, 403, 407, 451})
# What a server also says in passing.
PASSING = frozenset({408, 425, 429, 502, 503, 504})
PARTIAL, WHOLE = 206, 200
# Of one thread: a list may name thousands of hosts.
MOST_CONNECTIONS = 4
PIECE_BYTES = 2**18
MOST_DIGITS = 18  # of a size
# Left as they are: the URL may be written with or without escapes.
SAFE = "/?#[]@!$&'()*+,;=:%~"
HEADERS = {"User-Agent": "shoal", "Accept": "image/*,*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class _Answer:
    """What a server has answered: headers, and as much of the content as was asked for."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes
    size: int | None

    def describe(self, path: str) -> Listed:
        tag = self.headers.get("ETag") or self.headers.get("Last-Modified")
        return Listed(path, self.size, make_version(tag, self.size) if tag else b"")


class _PassingError(Exception):
    """What may be otherwise when the server is asked again."""


class WebImages:
    """Images below a URL, or on any server: ``https://``.

    Args:
        url: Of one server; or a scheme alone, and each path begins with its host. Then a server
            that does not answer is a fault of its images, and else one that passes.
        policy: Which URLs may be read, also those that a server redirects to.
        patience_seconds: How long a request is tried again.
    """

    def __init__(
        self, url: str, policy: UrlPolicy, patience_seconds: float = RETRY_SECONDS
    ) -> None:
        self.url = url
        self._policy = policy
        self._patience = patience_seconds
        try:
            self._is_one_server = bool(urlsplit(url).netloc)
        except ValueError as error:
            raise SourceError(f"{url} cannot be read: {error}.") from None
        self._own = threading.local()

    def list(self) -> Iterator[Listed]:
        """Raise SourceError: HTTP has no lists."""
        raise SourceError(
            f"{self.url} cannot be listed, as HTTP has no lists of files: submit a list, which is a"
            " text file with the URL of an image in each line."
        )

    def stat(self, path: str) -> Listed:
        """Return what is known of an image, without its content."""
        return self._ask(path, "HEAD", {}, 0).describe(path)

    def get(self, path: str, most_bytes: int) -> tuple[bytes, Listed]:
        """Return an image of at most so many bytes."""
        answer = self._ask(path, "GET", {}, most_bytes)
        check_size(max(len(answer.content), answer.size or 0), most_bytes)
        return answer.content, answer.describe(path)

    def get_range(self, path: str, offset: int, length: int) -> tuple[bytes, Listed]:
        """Return a part of a file, fewer bytes if it ends before.

        Raises:
            SourceError: The server sends whole files only.
        """
        part = {"Range": f"bytes={offset}-{offset + max(length, 1) - 1}"}
        answer = self._ask(path, "GET", part, length)
        if answer.status == WHOLE and answer.size != 0:
            raise SourceError(
                f"{join(self.url, path)} cannot be read in parts: its server sends whole files"
                " only. Download it, and submit the copy."
            )
        return answer.content[:length], answer.describe(path)

    def _ask(self, path: str, method: str, headers: Mapping[str, str], most_bytes: int) -> _Answer:
        """Ask until there is an answer that would not be another one later."""
        url = join(self.url, path) if path else self.url
        pause, until = FIRST_PAUSE_SECONDS, time.monotonic() + self._patience
        while True:
            try:
                return self._follow(url, method, headers, most_bytes)
            except _PassingError as error:
                if time.monotonic() + pause > until:
                    self._give_up(str(error))
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _give_up(self, why: str) -> NoReturn:
        if self._is_one_server:
            raise SourceUnavailableError(f"{self.url} cannot be read for now: {why}. {GOES_ON}")
        raise UnreadableImageError(FailureReason.MISSING, why)

    def _refuse(self, why: str) -> NoReturn:
        """Refuse a server that would not be otherwise later."""
        if self._is_one_server:
            raise SourceError(f"{self.url} cannot be read: {why}.")
        raise UnreadableImageError(FailureReason.MISSING, why)

    def _follow(
        self, url: str, method: str, headers: Mapping[str, str], most_bytes: int
    ) -> _Answer:
        """Ask a server, and those that it redirects to, each within the policy."""
        for _ in range(MOST_REDIRECTS + 1):
            parts = self._check(url)
            try:
                answer = self._ask_server(url, method, headers, most_bytes)
            except http.client.InvalidURL as error:
                self._refuse(str(error))
            except UnicodeError:
                self._refuse(f"{parts.hostname} is no name of a server")
            except ssl.SSLCertVerificationError as error:
                self._refuse(f"the certificate of {parts.hostname} is not trusted: {error.reason}")
            except socket.gaierror as error:
                if error.errno == socket.EAI_NONAME:
                    self._refuse(f"there is no server {parts.hostname}")
                raise _PassingError(f"the name {parts.hostname} cannot be looked up") from error
            except (OSError, http.client.HTTPException) as error:
                self._forget(url)
                why = str(error) or type(error).__name__
                raise _PassingError(f"{parts.hostname} does not answer ({why})") from error
            if answer.status not in REDIRECTS or "Location" not in answer.headers:
                return _check_status(answer)
            url = _join_redirect(url, answer.headers["Location"])
        raise UnreadableImageError(FailureReason.MISSING, "its server redirects in a circle")

    def _check(self, url: str) -> SplitResult:
        """Split a URL, of an image or of a redirect, that may be read."""
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018  raises if it is none
        except ValueError as error:
            self._refuse(str(error))
        if parts.scheme not in WEB or not parts.hostname or not self._policy.allows(url):
            raise UnreadableImageError(
                FailureReason.OUTSIDE_ROOTS, "not below a URL of SHOAL_IMAGE_URLS"
            )
        return parts

    def _ask_server(
        self, url: str, method: str, headers: Mapping[str, str], most_bytes: int
    ) -> _Answer:
        connection, parts = self._connect(url), urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        target = quote((parts.path or "/") + query, safe=SAFE)
        try:
            connection.request(method, target, headers={**HEADERS, **headers})
            response = connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A connection that was kept and that the server has closed meanwhile.
            connection.close()
            connection.request(method, target, headers={**HEADERS, **headers})
            response = connection.getresponse()
        is_part = response.status == WHOLE and "Range" in headers
        wants = method == "GET" and response.status in (WHOLE, PARTIAL) and not is_part
        try:
            response.allow(most_bytes)
            return _read_answer(response, most_bytes, wants_content=wants)
        finally:
            if not response.isclosed():  # what is left would be taken for the next answer
                connection.close()

    def _connect(self, url: str) -> Connection:
        """Return this thread's connection to the server of a URL."""
        parts, kept = urlsplit(url), self._connections()
        key = (parts.scheme, parts.netloc)
        if key not in kept:
            kept[key] = Connection(*key, self._policy.names_host)
        kept.move_to_end(key)
        while len(kept) > MOST_CONNECTIONS:
            kept.popitem(last=False)[1].close()
        return kept[key]

    def _forget(self, url: str) -> None:
        parts = urlsplit(url)
        if connection := self._connections().pop((parts.scheme, parts.netloc), None):
            connection.close()

    def _connections(self) -> OrderedDict[tuple[str, str], Connection]:
        if not hasattr(self._own, "connections"):
            self._own.connections = OrderedDict()
        return self._own.connections  # type: ignore[no-any-return]


def _join_redirect(url: str, location: str) -> str:
    try:
        joined = urljoin(url, location)
        urlsplit(joined).port  # noqa: B018  raises if it is none
    except ValueError:
        detail = "its server redirects to what is no URL"
        raise UnreadableImageError(FailureReason.MISSING, detail) from None
    return joined


def _read_answer(
    response: http.client.HTTPResponse, most_bytes: int, *, wants_content: bool
) -> _Answer:
    """Read an answer; of what is refused, or larger than it may be, no more than the beginning.

    Raises:
        OSError: It comes too slowly, or ends early.
    """
    size, content = _find_size(response), b""
    if wants_content and not (size and response.status == WHOLE and size > most_bytes):
        content = _read_content(response, response.length, most_bytes)
    return _Answer(response.status, response.headers, content, size)


def _find_size(response: http.client.HTTPResponse) -> int | None:
    """Return the bytes of the whole file; None if the server does not say."""
    if response.status in (PARTIAL, BEYOND_THE_END):
        text = response.headers.get("Content-Range", "").rpartition("/")[2]
    else:
        text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def _read_content(response: http.client.HTTPResponse, length: int | None, most_bytes: int) -> bytes:
    """Read a content, and one byte more than ``most_bytes`` if there is so much.

    Raises:
        OSError: It comes too slowly, or ends early.
    """
    most = most_bytes + 1 if length is None else min(length, most_bytes + 1)
    pieces, n_bytes = [], 0
    while n_bytes < most and (piece := response.read1(min(PIECE_BYTES, most - n_bytes))):
        pieces.append(piece)
        n_bytes += len(piece)
    if length is not None and n_bytes < most:
        raise OSError(f"the answer ended after {n_bytes:,} of {length:,} bytes")
    return b"".join(pieces)


def _check_status(answer: _Answer) -> _Answer:
    """Return an answer that has what was asked for.

    Raises:
        _PassingError: The server may have it later.
        UnreadableImageError: It has not.
    """
    status = answer.status
    if status in (WHOLE, PARTIAL, BEYOND_THE_END):
        return answer
    said = f"its server answers {status} {http.client.responses.get(status, '')}".rstrip()
    if status in PASSING:
        raise _PassingError(said)
    reason = FailureReason.NO_PERMISSION if status in DENIED else FailureReason.MISSING
    raise UnreadableImageError(reason, said)
