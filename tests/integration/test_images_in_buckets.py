"""Images in buckets: what is listed and read, and what a bucket can refuse."""

import subprocess
from pathlib import Path

import pytest
from buckets import BucketServer, make_variables, refusing
from tcp_proxy import TcpProxy

from shoal.producer.submission.inputs import read_sources
from shoal.shared.errors import SourceError, SourceUnavailableError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.settings import Settings
from shoal.shared.sources.objects import ObjectImages
from shoal.shared.sources.open import open_store

MUCH = 2**20
IMPATIENCE_SECONDS = 0.5
ODD = ("a b.jpg", "plus+%20.jpg", "q?x#.jpg", "ä😀.jpg", "~*|.jpg", "x/trail /1.jpg")


@pytest.fixture
def set_variables(monkeypatch: pytest.MonkeyPatch):
    def set_them(port: int, **others: str) -> None:
        for variable, value in (make_variables(port) | others).items():
            monkeypatch.setenv(variable, value)

    return set_them


def fails(store: ObjectImages, path: str, most_bytes: int = MUCH) -> tuple[FailureReason, str]:
    with pytest.raises(UnreadableImageError) as caught:
        store.get(path, most_bytes)
    return caught.value.reason, caught.value.detail


def test_what_is_below_a_prefix_is_listed_in_the_order_of_its_bytes(
    bucket_server: BucketServer, bucket_url: str
) -> None:
    for name in (*ODD, "b.jpg"):
        bucket_server.put(bucket_url, name, name.encode())
    bucket_server.put(f"{bucket_url}-beside", "no.jpg", b"x")
    bucket_server.put_marker(f"{bucket_url}/x/")
    listed = list(ObjectImages(bucket_url).list())
    assert [found.path for found in listed] == sorted([*ODD, "b.jpg"], key=str.encode)
    store = open_store(bucket_url, Settings())
    for found in listed:
        content, now = store.get(found.path, MUCH)
        assert (content.decode(), now, store.stat(found.path)) == (found.path, found, found)


def test_objects_of_several_buckets_are_read(bucket_server: BucketServer, bucket_url: str) -> None:
    bucket_server.put(bucket_url, "a.jpg", b"one")
    store = ObjectImages("s3://")
    whole = f"{bucket_url.removeprefix('s3://')}/a.jpg"
    assert store.get(whole, MUCH)[0] == b"one"
    assert store.get_range(whole, 1, 9) == (b"ne", store.stat(whole))


def test_a_version_changes_with_the_content(bucket_server: BucketServer, bucket_url: str) -> None:
    bucket_server.put(bucket_url, "a.jpg", b"one")
    before = ObjectImages(bucket_url).stat("a.jpg")
    bucket_server.put(bucket_url, "a.jpg", b"two")
    after = ObjectImages(bucket_url).stat("a.jpg")
    assert (before.size, len(before.version)) == (after.size, 8)
    assert before.version != after.version


def test_what_is_wrong_with_one_object_is_its_failure(
    bucket_server: BucketServer, bucket_url: str
) -> None:
    bucket_server.put(bucket_url, "large.jpg", b"x" * 1000)
    bucket_server.put(bucket_url, "empty.jpg", b"")
    store = ObjectImages(bucket_url)
    assert fails(store, "none.jpg") == (FailureReason.MISSING, "there is no such object")
    assert fails(store, "empty.jpg")[0] is FailureReason.EMPTY
    assert fails(store, "large.jpg", 999) == (
        FailureReason.TOO_MANY_BYTES,
        "1,000 bytes, of 999 allowed",
    )
    assert fails(store, "x//y.jpg")[0] is FailureReason.UNSUPPORTED


def test_a_key_that_cannot_be_listed_is_named(bucket_server: BucketServer, bucket_url: str) -> None:
    bucket_server.put_marker(f"{bucket_url}/x/../y.jpg")
    with pytest.raises(SourceError, match=r"x/\.\./y\.jpg.*Rename it"):
        list(ObjectImages(bucket_url).list())


def test_a_bucket_that_does_not_exist_is_told(bucket_url: str) -> None:
    store = ObjectImages("s3://nowhere/x")
    for read in (lambda: list(store.list()), lambda: store.get("a.jpg", MUCH)):
        with pytest.raises(SourceError, match="no such bucket"):
            read()


@pytest.mark.parametrize(
    ("status", "code", "error", "remedy"),
    [
        (403, "InvalidAccessKeyId", SourceError, "Set AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", SourceError, "Set AWS_ACCESS_KEY_ID"),
        (403, "AccessDenied", UnreadableImageError, "refuses it"),
        (301, "PermanentRedirect", SourceError, "Set AWS_REGION"),
        (400, "AuthorizationHeaderMalformed", SourceError, "Set AWS_REGION"),
        (400, "ExpiredToken", SourceUnavailableError, "Renew them"),
        (403, "RequestTimeTooSkewed", SourceUnavailableError, "clock"),
        (503, "SlowDown", SourceUnavailableError, "does not answer"),
        (500, "InternalError", SourceUnavailableError, "does not answer"),
        (400, "InvalidRequest", SourceError, "correct its endpoint"),
    ],
)
def test_refusals_say_what_helps(
    set_variables, status: int, code: str, error: type[Exception], remedy: str
) -> None:
    with refusing(status, code) as port:
        set_variables(port)
        with pytest.raises(error) as caught:
            ObjectImages("s3://photographs", IMPATIENCE_SECONDS).get("a.jpg", MUCH)
    assert remedy in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_list_that_is_denied_leads_to_a_list_of_urls(set_variables) -> None:
    with refusing(403, "AccessDenied") as port:
        set_variables(port)
        with pytest.raises(SourceError, match="submit a list"):
            list(ObjectImages("s3://photographs", IMPATIENCE_SECONDS).list())


def test_whoever_submits_is_told_that_nothing_was_submitted(set_variables) -> None:
    open_store.cache_clear()
    with refusing(400, "ExpiredToken") as port:
        set_variables(port)
        with pytest.raises(SourceUnavailableError) as caught:
            read_sources(["s3://photographs"], Settings())
    open_store.cache_clear()
    assert "Nothing was submitted: try again later." in str(caught.value)
    assert "continues by itself" not in str(caught.value)


@pytest.mark.parametrize("how", ["reset", "silence"])
def test_a_bucket_that_does_not_answer_passes(
    bucket_server: BucketServer, bucket_url: str, set_variables, how: str
) -> None:
    bucket_server.put(bucket_url, "a.jpg", b"x")
    proxy = TcpProxy(bucket_server.port)
    set_variables(proxy.port)
    store = ObjectImages(bucket_url, IMPATIENCE_SECONDS)
    proxy.cut(how)
    with pytest.raises(SourceUnavailableError, match="does not answer"):
        store.get("a.jpg", MUCH)
    proxy.mend()
    assert store.get("a.jpg", MUCH)[0] == b"x"
    proxy.close()


def test_a_server_whose_name_is_not_known_is_told(set_variables) -> None:
    set_variables(1, AWS_ENDPOINT_URL="https://nowhere.invalid")
    with pytest.raises(SourceUnavailableError, match="DNS"):
        ObjectImages("s3://photographs", IMPATIENCE_SECONDS).get("a.jpg", MUCH)


def test_a_server_that_nobody_vouches_for_is_told(
    set_variables, certificate: tuple[Path, Path]
) -> None:
    with refusing(200, "", certificate) as port:
        set_variables(port, AWS_ENDPOINT_URL=f"https://localhost:{port}")
        with pytest.raises(SourceError, match="vouches for its certificate"):
            ObjectImages("s3://photographs", IMPATIENCE_SECONDS).get("a.jpg", MUCH)


def test_a_machine_without_credentials_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in make_variables(1):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1/latest/api/token")
    with pytest.raises(SourceError, match="AWS_SKIP_SIGNATURE"):
        ObjectImages("s3://photographs", IMPATIENCE_SECONDS).get("a.jpg", MUCH)


def test_a_container_of_azure_says_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(SourceError, match="AZURE_STORAGE_ACCOUNT_KEY"):
        ObjectImages("az://photographs", IMPATIENCE_SECONDS).get("a.jpg", MUCH)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of localhost that nobody else has signed, and its key."""
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    return paths
