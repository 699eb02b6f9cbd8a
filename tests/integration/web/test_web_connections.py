"""Connections that never complete a request: they end, and keep nobody else out."""

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from polling import wait_until
from servers import Server
from stream_listener import Listener
from web_server import WebServer

from shoal.producer.web import connections

TOKEN = "a token of some length"
HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
# What may be sent without a token, and is not complete.
UNFINISHED = {
    "nothing": b"",
    "half a head": HEAD,
    "half a body": b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\ntok",
    "half a body that is refused": b"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Length: 9\r\n\r\n{",
    "a second head": HEAD + b"\r\n" + HEAD,
}


@contextmanager
def page_of(redis_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.5)
    with WebServer(redis_server.url, TOKEN) as page:
        yield page


def open_connection(page: WebServer) -> socket.socket:
    return socket.create_connection(page.listener.getsockname(), timeout=30)


def is_closed(connection: socket.socket) -> bool:
    """Read what has been sent; return whether the other side has closed the connection."""
    connection.settimeout(0.01)
    try:
        while connection.recv(2**16):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED)
def test_a_request_that_does_not_end_is_given_up(
    redis_server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    sent: bytes,
) -> None:
    with page_of(redis_server, monkeypatch) as page, open_connection(page) as connection:
        connection.sendall(sent)
        wait_until(lambda: is_closed(connection))
        assert page.http.get("/healthz").status_code == 200
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_head_that_comes_byte_by_byte_has_no_more_time(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with page_of(redis_server, monkeypatch) as page, open_connection(page) as connection:
        began = time.monotonic()
        for byte in HEAD * 100:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break
            if is_closed(connection):
                break
        assert 0.4 < time.monotonic() - began < 20
        assert is_closed(connection)


def test_a_request_may_take_as_long_as_it_likes_once_it_has_come(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.2)
    with WebServer(redis_server.url) as page:
        stream = Listener(page, "/events")
        wait_until(lambda: stream.events)
        began = time.monotonic()
        while time.monotonic() - began < 1:
            assert page.http.get("/healthz").status_code == 200
        assert not stream.has_ended()


def test_connections_without_a_request_make_room_for_those_with_one(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 10)
    with WebServer(redis_server.url, TOKEN) as page, ExitStack() as held:
        opened = [held.enter_context(open_connection(page)) for _ in range(40)]
        for connection in opened:
            connection.sendall(HEAD)
        for _ in range(5):
            with open_connection(page) as one:
                one.sendall(HEAD + b"Connection: close\r\n\r\n")
                assert b" 303 " in one.makefile("rb").readline()
        wait_until(lambda: sum(map(is_closed, opened)) >= 30)
        assert len(page.server.server_state.connections) <= 11
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_beyond_its_most_connections_a_server_says_so(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)
    with WebServer(redis_server.url) as page:
        streams = [Listener(page, "/events") for _ in range(3)]
        wait_until(lambda: all(stream.events for stream in streams))
        with open_connection(page) as one:
            answer = one.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in answer
