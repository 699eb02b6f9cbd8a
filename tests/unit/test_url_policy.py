"""Which URLs may be read, and which have a secret in them."""

import sys
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest

from shoal.shared.errors import SettingsError, SourceError, SourceUnavailableError
from shoal.shared.settings import Settings, make_environment, read_settings
from shoal.shared.sources.addresses import is_public
from shoal.shared.sources.open import OTHERS, open_store
from shoal.shared.sources.policy import UrlPolicy, check_secrets
from shoal.shared.sources.reading import SourceReader
from shoal.shared.sources.store import Listed, make_version

ONE = UrlPolicy(("s3://bucket/photos", "https://Images.example.com", "gs://"), allows_all=False)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/photos",
        "s3://bucket/photos/a.jpg",
        "https://images.EXAMPLE.com/x",
        "gs://any/thing",
    ],
)
def test_what_begins_with_a_prefix_may_be_read(url: str) -> None:
    ONE.check([url])


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/photos2/a.jpg",
        "s3://bucket",
        "s3://",
        "http://images.example.com/x",
        "https://images.example.com.evil.com/x",
        "https://images.example.com%40evil.com/x",
        "https://images.example.com?.evil.com/x",
        "az://any/thing",
    ],
)
def test_all_else_may_not(url: str) -> None:
    with pytest.raises(SourceError, match="SHOAL_IMAGE_URLS"):
        ONE.check([url])


@pytest.mark.parametrize(
    "way",
    ["/..", "/%2e%2E", "/..%2f", "/..;x", "\\..\\", "%2F..%5C", "/.\t.", "/\n../", "/.\r./"],
)
@pytest.mark.parametrize("place", ["https://images.example.com/photos", "sftp://host/photos"])
def test_no_way_leads_out_of_a_prefix(place: str, way: str) -> None:
    for policy in (UrlPolicy((place,), allows_all=False), UrlPolicy()):
        assert not policy.allows(f"{place}{way}/secret.jpg")
        with pytest.raises(SourceError, match="part of dots, or a control character"):
            policy.check([f"{place}{way}/secret.jpg"])


def test_names_with_dots_and_keys_in_buckets_are_as_they_are_written() -> None:
    for url in ("https://h/...jpg", "https://h/a..b/c.jpg", "https://h/.x/y", "s3://b/a\tb/../c"):
        UrlPolicy().check([url])


def test_workers_check_each_image_of_a_place_that_may_be_read() -> None:
    settings = Settings(image_urls=("sftp://host/photos",))
    reader = SourceReader("sftp://host/photos", settings)
    assert reader.allows("a.jpg")
    assert not reader.allows("../secret.jpg")


def test_other_schemes_are_only_read_where_they_are_named() -> None:
    with pytest.raises(SourceError, match="SHOAL_IMAGE_URLS"):
        UrlPolicy.of(Settings()).check(["sftp://10.0.0.1/photos/a.jpg"])
    assert UrlPolicy.of(Settings(image_urls=("sftp://10.0.0.1",))).allows("sftp://10.0.0.1/a")


def test_where_nothing_is_set_all_may_be_read_and_where_roots_are_none(tmp_path: Path) -> None:
    assert UrlPolicy.of(Settings()).allows("s3://bucket/a")
    assert not UrlPolicy.of(Settings(image_roots=(tmp_path,))).allows("s3://bucket/a")
    both = Settings(image_roots=(tmp_path,), image_urls=("s3://bucket",))
    assert UrlPolicy.of(both).allows("s3://bucket/a")


def test_the_setting_is_passed_on_as_it_was_read() -> None:
    settings = read_settings({"SHOAL_IMAGE_URLS": " s3://bucket/x \n https://host:8080 "})
    assert settings.image_urls == ("s3://bucket/x", "https://host:8080")
    assert read_settings(make_environment(settings)) == settings


@pytest.mark.parametrize("text", [",", "bucket", "s3://a,/b c", "/images"])
def test_a_setting_that_lists_no_url_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="SHOAL_IMAGE_URLS"):
        read_settings({"SHOAL_IMAGE_URLS": text})


@pytest.mark.parametrize(
    "url",
    [
        "https://user:SECRET@host/a.jpg",
        "s3://KEY:SECRET@bucket/a",
        "https://host/a.jpg?x=1&X-Amz-Signature=SECRET",
        "https://host/a.jpg?sv=2020&sig=SECRET",
        "https://host/a.jpg?access_token=SECRET",
        "https://host/a.jpg?x-oss-signature=SECRET",
        "https://host/a.jpg?OSSAccessKeyId=SECRET",
        "https://host/a.jpg?api-key=SECRET",
        "https://host/a.jpg?client_secret=SECRET",
        "https://host/a.jpg#private_token=SECRET",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_shown(url: str) -> None:
    for check in (check_secrets, lambda url: UrlPolicy().check([url])):
        with pytest.raises(SourceError, match="credentials") as caught:
            check(url)
        assert "SECRET" not in str(caught.value)
    with pytest.raises(SourceError):
        open_store(url, Settings())


@pytest.mark.parametrize("url", ["https://host/a@b.jpg", "https://host/i?id=5&design=1&key=a.jpg"])
def test_other_urls_have_none(url: str) -> None:
    check_secrets(url)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("::ffff:169.254.169.254", False),
        ("2002:a9fe:a9fe::1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b::5db8:d822", True),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("fec0::1", False),
    ],
)
def test_addresses_of_the_own_network_are_not_public(address: str, expected: bool) -> None:
    assert is_public(address) is expected


@pytest.mark.parametrize("module", ["obstore", "fsspec"])
def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    url = {"obstore": "s3://bucket/extra", "fsspec": "sftp://host/extra"}[module]
    for name in ("objects", "schemes"):
        monkeypatch.delitem(sys.modules, f"shoal.shared.sources.{name}", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SourceError, match=f"pip install {module}"):
        open_store(url, Settings())


@pytest.mark.parametrize("url", ["file:///etc", "memory://x", "zip://a::file:///b", "ftp://h::x"])
def test_no_scheme_leads_to_files_of_this_machine(url: str) -> None:
    with pytest.raises(SourceError, match="the schemes are"):
        open_store(url, Settings())


def test_other_schemes_are_read_through_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec import filesystem

    system = filesystem("memory")
    system.store.clear()
    for name in ("b/c.jpg", "a.jpg"):
        system.pipe(f"/photos/{name}", name.encode())
    monkeypatch.setattr("shoal.shared.sources.open.OTHERS", OTHERS | {"memory"})
    store = open_store("memory://photos", Settings())
    assert [found.path for found in store.list()] == ["a.jpg", "b/c.jpg"]
    content, listed = store.get("b/c.jpg", 10)
    assert (content, listed.size, len(listed.version)) == (b"b/c.jpg", 7, 8)
    assert store.get_range("b/c.jpg", 2, 99) == (b"c.jpg", listed)


def test_what_a_package_raises_is_told_without_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    class ProtocolError(Exception):
        """Of a library: neither OSError nor ValueError."""

    def refuse(*_: object, **__: object) -> None:
        raise ProtocolError("refused: https://host/a.jpg?delegation=SECRET by its server")

    monkeypatch.setattr("shoal.shared.sources.open.OTHERS", OTHERS | {"memory"})
    monkeypatch.setattr(MemoryFileSystem, "info", refuse)
    with pytest.raises(SourceUnavailableError, match="ProtocolError: refused") as caught:
        open_store("memory://refusing", Settings()).get("a.jpg", 10)
    assert "SECRET" not in "".join(format_exception(caught.value))


def test_files_of_this_machine_are_read_in_parts_below_the_roots(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"0123456789")
    store = open_store(str(tmp_path), Settings(image_roots=(tmp_path,)))
    part, listed = store.get_range("x.tar", 3, 99)
    assert (part, listed) == (b"3456789", Listed("x.tar", 10, listed.version))
    assert store.get("x.tar", 10) == (b"0123456789", store.stat("x.tar"))
    outside: Any = open_store(str(tmp_path), Settings(image_roots=(tmp_path / "other",)))
    with pytest.raises(Exception, match="outside-roots"):
        outside.stat("x.tar")


def test_an_etag_is_the_same_with_quotes_and_without_them() -> None:
    assert make_version('"0x8DC"', 5) == make_version("0x8DC", 5)
    assert make_version('"0x8DC"', 5) != make_version('"0x8DD"', 5)
    assert make_version('"0x8DC"', 5) != make_version('"0x8DC"', 6)
