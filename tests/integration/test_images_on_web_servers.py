"""Images on web servers: nginx, and servers that answer what they should not."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Event, Thread

import pytest
from web_files import FileServer

from shoal.shared.errors import SourceError, SourceUnavailableError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.sources import addresses
from shoal.shared.sources.policy import UrlPolicy
from shoal.shared.sources.web import WebImages

MUCH = 2**20
IMPATIENCE_SECONDS = 0.3
CONTENT = b"a photograph, or so" * 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    server = FileServer(tmp_path_factory.mktemp("nginx"))
    (server.files / "a.jpg").write_bytes(CONTENT)
    (server.files / "ä b%.jpg").write_bytes(b"odd")
    (server.files / "empty.jpg").write_bytes(b"")
    yield server
    server.stop()


def open_site(server: FileServer, place: str = "") -> WebImages:
    allowed = UrlPolicy((server.url,), allows_all=False)
    return WebImages(f"{server.url}{place}", allowed, IMPATIENCE_SECONDS)


def fails(site: WebImages, path: str, most_bytes: int = MUCH) -> tuple[FailureReason, str]:
    with pytest.raises(UnreadableImageError) as caught:
        site.get(path, most_bytes)
    return caught.value.reason, caught.value.detail


def test_an_image_is_read_with_its_version(server: FileServer) -> None:
    site = open_site(server)
    content, listed = site.get("a.jpg", MUCH)
    assert content == CONTENT
    assert listed == site.stat("a.jpg")
    assert (listed.size, len(listed.version)) == (len(CONTENT), 8)


def test_a_version_changes_with_the_content(server: FileServer) -> None:
    (server.files / "changing.jpg").write_bytes(b"before")
    before = open_site(server).stat("changing.jpg")
    (server.files / "changing.jpg").write_bytes(b"after!!")
    assert open_site(server).stat("changing.jpg").version != before.version


def test_odd_names_are_read_with_escapes_or_without(server: FileServer) -> None:
    assert open_site(server).get("ä b%25.jpg", MUCH)[0] == b"odd"
    assert open_site(server).get("%C3%A4%20b%25.jpg", MUCH)[0] == b"odd"


def test_parts_are_read(server: FileServer) -> None:
    site = open_site(server)
    part, listed = site.get_range("a.jpg", 5, 10)
    assert (part, listed.size) == (CONTENT[5:15], len(CONTENT))
    assert site.get_range("a.jpg", len(CONTENT) - 3, 10)[0] == CONTENT[-3:]
    assert site.get_range("a.jpg", len(CONTENT) + 3, 10)[0] == b""


def test_a_server_that_sends_no_parts_is_told(server: FileServer) -> None:
    with pytest.raises(SourceError, match="sends whole files only"):
        open_site(server, "/whole").get_range("a.jpg", 5, 10)


def test_an_answer_without_its_length_is_read_within_the_limit(server: FileServer) -> None:
    site = open_site(server, "/chunks")
    content, listed = site.get("a.jpg", MUCH)
    assert (content, listed.size) == (CONTENT, None)
    assert fails(site, "a.jpg", 1000)[0] is FailureReason.TOO_MANY_BYTES


def test_what_is_too_large_is_refused_by_its_length(server: FileServer) -> None:
    with (server.files / "huge.jpg").open("wb") as file:
        file.truncate(50 * 10**9)
    reason, detail = fails(open_site(server), "huge.jpg")
    assert (reason, detail) == (
        FailureReason.TOO_MANY_BYTES,
        "50,000,000,000 bytes, of 1,048,576 allowed",
    )


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none.jpg", FailureReason.MISSING),
        ("empty.jpg", FailureReason.EMPTY),
        ("denied/a.jpg", FailureReason.NO_PERMISSION),
        ("broken/a.jpg", FailureReason.MISSING),
        ("circle/", FailureReason.MISSING),
    ],
)
def test_what_is_wrong_with_one_image_is_its_failure(
    server: FileServer, path: str, reason: FailureReason
) -> None:
    assert fails(open_site(server), path)[0] is reason


def test_a_redirect_is_followed_where_it_may_be(server: FileServer) -> None:
    assert open_site(server, "/moved").get("a.jpg", MUCH)[0] == CONTENT
    for place in ("/to-metadata/", "/to-other-port/"):
        assert fails(open_site(server, place), "")[0] is FailureReason.OUTSIDE_ROOTS


def test_no_address_of_the_own_network_is_asked_unless_it_is_named(server: FileServer) -> None:
    for host in ("127.0.0.1", "localhost"):
        site = WebImages(f"http://{host}:{server.port}", UrlPolicy(), IMPATIENCE_SECONDS)
        reason, detail = fails(site, "a.jpg")
        assert reason is FailureReason.OUTSIDE_ROOTS
        assert (
            detail == f"the address of {host} is not public, and SHOAL_IMAGE_URLS does not name it"
        )


def test_a_server_that_is_busy_is_waited_for(server: FileServer) -> None:
    with pytest.raises(SourceUnavailableError, match="503 Service"):
        open_site(server, "/busy").get("a.jpg", MUCH)


def test_one_of_many_servers_that_does_not_answer_fails_its_images(server: FileServer) -> None:
    policy = UrlPolicy(("http://127.0.0.1", "http://nowhere.invalid"), allows_all=True)
    site = WebImages("http://", policy, IMPATIENCE_SECONDS)
    assert site.get(f"127.0.0.1:{server.port}/a.jpg", MUCH)[0] == CONTENT
    assert fails(site, "127.0.0.1:1/a.jpg")[0] is FailureReason.MISSING
    assert "there is no server nowhere.invalid" in fails(site, "nowhere.invalid/a.jpg")[1]
    with pytest.raises(SourceError, match=r"there is no server nowhere\.invalid"):
        WebImages("http://nowhere.invalid", policy, IMPATIENCE_SECONDS).get("a.jpg", MUCH)


def test_a_web_server_is_not_listed(server: FileServer) -> None:
    with pytest.raises(SourceError, match="submit a list"):
        open_site(server).list()


@contextmanager
def answering(*answers: bytes) -> Iterator[UrlPolicy]:
    """Give each connection the next of these answers, the last one again and again, and cut it."""
    listener = socket.create_server(("127.0.0.1", 0))
    left = list(answers)

    def answer() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with closing(connection):
                connection.recv(2**16)
                connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    Thread(target=answer, daemon=True).start()
    with closing(listener):
        yield UrlPolicy((f"http://127.0.0.1:{listener.getsockname()[1]}",), allows_all=False)


CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
FULL = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nall of it."


def test_a_cut_answer_is_asked_for_again_and_never_taken_for_an_image() -> None:
    with answering(CUT, CUT, FULL) as policy:
        assert WebImages(policy.prefixes[0], policy, 5.0).get("a.jpg", MUCH)[0] == b"all of it."
    with (
        answering(CUT) as policy,
        pytest.raises(SourceUnavailableError, match="ended after 4 of 10 bytes"),
    ):
        WebImages(policy.prefixes[0], policy, IMPATIENCE_SECONDS).get("a.jpg", MUCH)


@pytest.mark.parametrize(
    "nonsense", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x"]
)
def test_what_is_no_answer_passes_or_is_told(nonsense: bytes) -> None:
    with (
        answering(nonsense) as policy,
        pytest.raises((SourceUnavailableError, UnreadableImageError)),
    ):
        WebImages(policy.prefixes[0], policy, IMPATIENCE_SECONDS).get("a.jpg", MUCH)


@contextmanager
def sending(head: bytes, rest: bytes) -> Iterator[UrlPolicy]:
    """Answer each connection with a head, and with the rest again and again."""
    listener, ended = socket.create_server(("127.0.0.1", 0)), Event()

    def send(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            connection.recv(2**16)
            connection.sendall(head)
            while not ended.wait(0.01):  # what comes slowly
                connection.sendall(rest)

    def answer() -> None:
        with suppress(OSError):
            while True:
                Thread(target=send, args=(listener.accept()[0],), daemon=True).start()

    Thread(target=answer, daemon=True).start()
    with closing(listener):
        yield UrlPolicy((f"http://127.0.0.1:{listener.getsockname()[1]}",), allows_all=False)
        ended.set()


CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (CHUNK, b"X: x\r\n"),
    ],
)
@pytest.mark.parametrize("limit", ["ANSWER_SECONDS", "MOST_HEAD_BYTES"])
def test_no_answer_is_read_for_ever(
    monkeypatch: pytest.MonkeyPatch, limit: str, head: bytes, rest: bytes
) -> None:
    monkeypatch.setattr(addresses, limit, 0 if limit == "MOST_HEAD_BYTES" else 0.2)
    with (
        sending(head, rest) as policy,
        pytest.raises(SourceUnavailableError, match=r"no end|too slowly|timed out"),
    ):
        WebImages(policy.prefixes[0], policy, IMPATIENCE_SECONDS).get("a.jpg", 10)


@pytest.mark.parametrize("location", ["http://[::1/", "http://host:99999999/", "http://host:x/"])
def test_a_redirect_to_what_is_no_url_is_a_failure_of_its_image(location: str) -> None:
    moved = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    with answering(moved.encode()) as policy:
        site = WebImages(policy.prefixes[0], policy, IMPATIENCE_SECONDS)
        assert fails(site, "a.jpg") == (
            FailureReason.MISSING,
            "its server redirects to what is no URL",
        )


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 70}.b", "h:99999999", "h:x"])
def test_a_name_that_no_server_can_have_fails_its_image_alone(host: str) -> None:
    site = WebImages("http://", UrlPolicy(), IMPATIENCE_SECONDS)
    assert fails(site, f"{host}/a.jpg")[0] is FailureReason.MISSING
    with pytest.raises(SourceError):
        WebImages(f"http://{host}", UrlPolicy(), IMPATIENCE_SECONDS).get("a.jpg", MUCH)


def test_a_size_of_more_digits_than_any_file_has_is_none() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx") as policy:
        assert WebImages(policy.prefixes[0], policy).get("a.jpg", MUCH)[1].size is None


def test_a_port_that_is_none_is_told() -> None:
    site = WebImages("http://localhost:x", UrlPolicy(), IMPATIENCE_SECONDS)
    with pytest.raises((SourceError, UnreadableImageError)):
        site.get("a.jpg", MUCH)
