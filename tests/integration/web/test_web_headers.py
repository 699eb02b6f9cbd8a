"""Headers as nobody sends them: each is answered, and none is taken for a defect of the server."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import Server
from web_server import WebServer

TOKEN = "a token of some length"
NAMES = (
    b"Host",
    b"Origin",
    b"Cookie",
    b"Authorization",
    b"Content-Length",
    b"Content-Type",
    b"If-None-Match",
    b"Sec-Fetch-Site",
    b"X-Forwarded-For",
    b"X-Forwarded-Proto",
    b"Upgrade",
    b"Connection",
    b"Expect",
    b"Transfer-Encoding",
)
# Between words that mean something, what means nothing.
WORDS = (
    *(b"[", b"]", b"[::1]", b"//", b"http://", b"127.0.0.1", b":", b"@", b"%", b".", b";", b"="),
    *(b"shoal_session=", b"Bearer ", b"null", b"\xff", b"\xc2\xb2", b'"', b"9" * 5000, b"-1"),
    *(b"websocket", b"upgrade", b"chunked", b"100-continue"),
)
VALUES = st.lists(st.sampled_from(WORDS) | st.binary(max_size=3), max_size=4).map(b"".join)
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=3)
PATHS = (
    *(b"/", b"/login", b"/healthz", b"/static/page.js", b"/api/v1/jobs", b"//login"),
    *(b"/jobs/%00", b"/\xff", b"/static/%ff", b"http://[/", b"*", b"/login?next=%ff%00"),
)


@pytest.fixture(scope="module", params=[None, TOKEN], ids=["open", "private"])
def page(redis_server: Server, request: pytest.FixtureRequest) -> Iterator[WebServer]:
    with WebServer(redis_server.url, request.param, proxies=["127.0.0.1"]) as page:
        page.site.access.guesses.burst = page.site.access.guesses.left = 10**9
        yield page


def ask(page: WebServer, request: bytes) -> int:
    """Send a request and say no more; return the status of the answer."""
    with socket.create_connection(page.listener.getsockname(), timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").readline()
    return int(answer.split()[1]) if answer else 0


@settings(max_examples=300, deadline=None)
@given(method=st.sampled_from([b"GET", b"POST"]), path=st.sampled_from(PATHS), headers=HEADERS)
def test_any_header_is_answered_and_none_is_a_defect(
    page: WebServer, method: bytes, path: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    if b"Host" not in dict(headers):
        headers = [(b"Host", b"127.0.0.1"), *headers]
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    status = ask(page, b"%s %s HTTP/1.1\r\n%sConnection: close\r\n\r\n" % (method, path, lines))
    assert status not in {500, 501}
    assert page.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("host", [b"[", b"x/static/", b"127.0.0.1/login?", b"\xff", b""])
def test_a_host_opens_no_door(page: WebServer, host: bytes) -> None:
    request = b"GET /api/v1/jobs HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host
    assert ask(page, request) == (401 if page.site.access.token else 421)
