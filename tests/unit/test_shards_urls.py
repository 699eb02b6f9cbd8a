"""What SHOAL_SHARDS_URL may name, and what is said about the rest."""

import sys

import pytest

from shoal.shared.errors import SettingsError
from shoal.shared.shards.urls import open_place


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("file:///data", "/data"),
        ("file:///two%20words/", "/two words"),
        ("file://localhost/data", "/data"),
    ],
)
def test_a_directory_is_named_by_its_path(url: str, root: str) -> None:
    assert str(open_place(url).path("name")) == f"{root}/name"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://photographs/of/jobs", "s3://photographs/of/jobs"),
        ("s3://photographs/", "s3://photographs"),
        ("gs://my.bucket_1", "gs://my.bucket_1"),
        ("az://container/x/", "az://container/x"),
    ],
)
def test_a_bucket_is_named_with_its_prefix(url: str, shown: str) -> None:
    place = open_place(url)
    assert place.url == shown
    assert place.path("name") is None


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("/mnt/shards", "write file:///mnt/shards"),
        ("shards", "expected file:///DIRECTORY"),
        ("", "expected file:///DIRECTORY"),
        ("http://host/x", "expected file:///DIRECTORY"),
        ("S3://bucket", "expected file:///DIRECTORY"),
        ("file://shards", "three slashes"),
        ("file:///a?b", "three slashes"),
        ("file://host/data", "three slashes"),
        ("file:///a%00b", "three slashes"),
        ("s3://", "names no bucket"),
        ("s3:///prefix", "names no bucket"),
        ("s3://bucket/a//b", "names no bucket"),
        ("s3://bucket/../b", "names no bucket"),
        ("s3://bucket/ä", "names no bucket"),
        ("s3://bucket:9000/x", "names no bucket"),
    ],
)
def test_other_urls_are_refused_with_the_remedy(url: str, remedy: str) -> None:
    with pytest.raises(SettingsError, match="SHOAL_SHARDS_URL") as caught:
        open_place(url)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    "url", ["s3://KEY:SECRET@bucket/x", "s3://bucket/x?sig=SECRET", "az://container/x?sv=SECRET"]
)
def test_credentials_in_a_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="credentials do not belong there") as caught:
        open_place(url)
    assert "SECRET" not in str(caught.value)


def test_a_bucket_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "shoal.shared.shards.objects", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(SettingsError, match="pip install obstore"):
        open_place("s3://bucket")
