"""Shards in a bucket: what the bucket and the way to it can do wrong."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from threading import Timer

import pytest
from buckets import BucketServer, make_variables, refusing
from tcp_proxy import TcpProxy

from shoal.shared.errors import SettingsError, ShardLostError, ShardsUnavailableError
from shoal.shared.shards.objects import DELETED_AT_ONCE, PART_BYTES, ObjectShards
from shoal.shared.shards.urls import open_place

NAME = "jobs/5f0e/features/000012-abc-def"
URL = "s3://photographs/of/jobs"
# Enough for a server that comes back, and no more for one that does not.
PATIENCE_SECONDS = 8.0
IMPATIENCE_SECONDS = 0.5


@pytest.fixture
def proxy(bucket_server: BucketServer) -> Iterator[TcpProxy]:
    proxy = TcpProxy(bucket_server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def place(bucket_url: str) -> ObjectShards:
    return ObjectShards(bucket_url, PATIENCE_SECONDS)


@pytest.fixture
def place_behind_proxy(
    bucket_url: str, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> Callable[[float], ObjectShards]:
    """Opens the bucket through the proxy."""
    set_variables(monkeypatch, proxy.port)
    return lambda patience_seconds: ObjectShards(bucket_url, patience_seconds)


def set_variables(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    for variable, value in make_variables(port).items():
        monkeypatch.setenv(variable, value)


@pytest.mark.parametrize("how", ["reset", "silence"])
def test_a_bucket_that_comes_back_is_waited_for(
    place_behind_proxy: Callable[[float], ObjectShards], proxy: TcpProxy, how: str
) -> None:
    place = place_behind_proxy(PATIENCE_SECONDS)
    place.write(NAME, [b"before"])
    proxy.cut(how)
    Timer(0.5, proxy.mend).start()
    assert place.read(NAME) == b"before"
    place.write(NAME, [b"after"])
    assert place.read(NAME) == b"after"


@pytest.mark.parametrize("how", ["reset", "silence"])
def test_a_bucket_that_does_not_answer_refuses_in_time_and_works_later(
    place_behind_proxy: Callable[[float], ObjectShards], proxy: TcpProxy, how: str
) -> None:
    place = place_behind_proxy(IMPATIENCE_SECONDS)
    place.write(NAME, [b"before"])
    proxy.cut(how)
    for ask in (
        lambda: place.read(NAME),
        lambda: place.read_ranges(NAME, [(0, 1)]),
        # What a silence holds back arrives in the end, and so is not about the same shard.
        lambda: place.write("jobs/5f0e/written", [b"x"]),
        lambda: place.create("jobs/5f0e/created", b"x"),
        lambda: place.delete(["jobs/5f0e/deleted"]),
        lambda: list(place.names("jobs")),
        lambda: list(place.folders("jobs")),
    ):
        with pytest.raises(ShardsUnavailableError, match="does not answer for now"):
            ask()
    proxy.mend()
    patient = place_behind_proxy(PATIENCE_SECONDS)
    assert list(patient.folders("")) == ["jobs"]
    assert patient.read(NAME) == b"before"
    patient.write(NAME, [b"after"])
    assert patient.read(NAME) == b"after"


def test_a_bucket_that_is_not_there_says_what_to_do(
    place: ObjectShards, bucket_server: BucketServer
) -> None:
    place.write(NAME, [b"x"])
    bucket_server.delete_bucket(place.url)
    for ask in (
        lambda: place.read(NAME),
        lambda: place.read_ranges(NAME, [(0, 1)]),
        lambda: place.write(NAME, [b"y"]),
        lambda: place.delete([NAME]),
        lambda: list(place.names("")),
        lambda: list(place.folders("")),
    ):
        with pytest.raises(ShardsUnavailableError, match=r"no such bucket\. Create it"):
            ask()
    bucket_server.make_bucket(place.url)
    with pytest.raises(ShardLostError, match=NAME):
        place.read(NAME)


def test_a_truncated_shard_is_lost(place: ObjectShards, bucket_server: BucketServer) -> None:
    place.write(NAME, [b"0123456789"])
    bucket_server.put(place.url, NAME, b"0123")
    assert place.read_ranges(NAME, [(0, 4)]) == [b"0123"]
    for ranges in ([(2, 3)], [(8, 2)], [(0, 1), (8, 2)]):
        with pytest.raises(ShardLostError, match="missing or incomplete"):
            place.read_ranges(NAME, ranges)


def test_large_shards_travel_in_parts(place: ObjectShards) -> None:
    data = os.urandom(2**20) * (PART_BYTES // 2**20) + b"the rest"
    place.write(NAME, [data])
    assert place.read(NAME) == data
    assert place.read_ranges(NAME, [(0, 2), (len(data) - 8, 8)]) == [data[:2], b"the rest"]


def test_more_shards_than_one_request_deletes_are_deleted(
    place: ObjectShards, bucket_server: BucketServer
) -> None:
    names = [f"jobs/1/labels/{number:06}" for number in range(DELETED_AT_ONCE + 5)]
    for name in names:
        bucket_server.put(place.url, name, b"x")
    assert list(place.names("jobs")) == names
    place.delete(iter([*names, "jobs/1/labels/none"]))
    assert list(place.names("jobs")) == []


def test_credentials_that_are_not_known_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    server = BucketServer(allowed=1)
    try:
        server.make_bucket(URL)
        set_variables(monkeypatch, server.port)
        place = ObjectShards(URL, PATIENCE_SECONDS)
        with pytest.raises(ShardsUnavailableError, match="refuses these credentials") as caught:
            place.write(NAME, [b"x"])
        assert "a secret" not in str(caught.value)
        with pytest.raises(ShardsUnavailableError, match="list, read, write and delete"):
            list(place.names(""))
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (500, "InternalError", "does not answer for now (InternalError)"),
        (503, "SlowDown", "does not answer for now (SlowDown)"),
        (429, "TooManyRequests", "does not answer for now (TooManyRequests)"),
        (403, "RequestTimeTooSkewed", "refuses these credentials (RequestTimeTooSkewed)"),
        (400, "ExpiredToken", "refuses what it is asked (ExpiredToken)"),
        (301, "PermanentRedirect", "Correct its region or endpoint"),
        (501, "NotImplemented", "Correct its region or endpoint"),
    ],
)
def test_what_a_bucket_answers_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, expected: str
) -> None:
    with refusing(status, code) as port:
        set_variables(monkeypatch, port)
        with pytest.raises(ShardsUnavailableError) as caught:
            ObjectShards(URL, IMPATIENCE_SECONDS).read(NAME)
    assert expected in str(caught.value)


def open_azure(monkeypatch: pytest.MonkeyPatch, port: int) -> ObjectShards:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "somebody")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{port}")
    return ObjectShards("az://photographs/of/jobs", IMPATIENCE_SECONDS)


def test_answers_of_azure_mean_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing(404, "BlobNotFound") as port, pytest.raises(ShardLostError, match=NAME):
        open_azure(monkeypatch, port).read(NAME)
    with refusing(409, "BlobAlreadyExists") as port:
        assert not open_azure(monkeypatch, port).create(NAME, b"x")
    with (
        refusing(404, "ContainerNotFound") as port,
        pytest.raises(ShardsUnavailableError, match="no such bucket"),
    ):
        open_azure(monkeypatch, port).write(NAME, [b"x"])
    with (
        refusing(403, "AuthenticationFailed") as port,
        pytest.raises(ShardsUnavailableError, match="refuses these credentials"),
    ):
        list(open_azure(monkeypatch, port).names(""))


FORKED = """
import os
from shoal.shared.shards.urls import open_place
place = open_place(os.environ["URL"])
place.write("a", [b"x"])
if not os.fork():
    try:
        place.read("a")
    except RuntimeError as error:
        print(error)
    os._exit(0)
os.wait()
print(place.read("a"))
"""


def test_a_forked_process_is_refused_and_does_not_hang(place: ObjectShards) -> None:
    environment = os.environ | {"URL": place.url}
    command = [sys.executable, "-c", FORKED]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, second = said.stdout.splitlines()
    assert "forked" in first
    assert second == "b'x'"


@pytest.mark.parametrize("url", ["gs://bucket/x", "az://container/x", "s3://bucket/x"])
def test_a_bucket_without_credentials_says_which_to_set(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    for variable in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "AZURE_"))]:
        monkeypatch.delenv(variable)
    # No machine of a cloud, whatever this one is.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    place = open_place(url)
    assert isinstance(place, ObjectShards)
    impatient = ObjectShards(url, IMPATIENCE_SECONDS)
    with pytest.raises(
        (SettingsError, ShardsUnavailableError), match=r"(?i)set (AWS_ACC|GOOGLE|AZURE)"
    ):
        impatient.read(NAME)
