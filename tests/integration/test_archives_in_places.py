import os
import shutil
from pathlib import Path

import archives
import pytest
from buckets import BucketServer, make_variables

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.settings import Settings
from shoal.shared.sources.archives import find_packed, read_members
from shoal.shared.sources.locations import Location
from shoal.shared.sources.open import open_store
from shoal.shared.sources.reading import SourceReader

CONTENTS = {f"{n % 7}/{n:03}.jpg": f"{n}".encode() * 999 for n in range(100)}


def locate(archive: Path, version: bytes) -> tuple[list[str], list[Location]]:
    members = sorted(archives.list_file(archive)[0])
    rows = [
        Location(size, version, archive.name, offset, method, length, checksum)
        for _, offset, size, length, method, checksum in members
    ]
    return [f"{archive.name}/{member.path}" for member in members], rows


def read_all(
    source: str, paths: list[str], locations: list[Location], settings: Settings
) -> dict[str, bytes | FailureReason]:
    reader = SourceReader(source, settings)
    members = [find_packed(source, *row) for row in zip(paths, locations, strict=True)]
    found = read_members(members, settings.max_image_bytes, reader.read_part)
    return {
        path: each.reason if isinstance(each, UnreadableImageError) else each
        for path, each in zip(paths, found, strict=True)
    }


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_images_of_an_archive_in_a_folder_are_read(tmp_path: Path, kind: str) -> None:
    make = archives.make_zip if kind == "zip" else archives.make_tar
    archive = make(tmp_path / f"a.{kind}", CONTENTS)
    version = open_store(f"{tmp_path}", Settings()).stat(archive.name).version
    paths, locations = locate(archive, version)
    found = read_all(f"{tmp_path}", paths, locations, Settings())
    assert found == {f"a.{kind}/{path}": content for path, content in CONTENTS.items()}


def test_archive_that_has_changed_is_a_failure_of_its_images(tmp_path: Path) -> None:
    archive = archives.make_tar(tmp_path / "a.tar", CONTENTS)
    version = open_store(f"{tmp_path}", Settings()).stat("a.tar").version
    paths, locations = locate(archive, version)
    os.utime(archive, (1, 1))
    found = read_all(f"{tmp_path}", paths, locations, Settings())
    assert set(found.values()) == {FailureReason.CHANGED}


def test_archive_mounted_by_another_file_system_is_the_same(tmp_path: Path) -> None:
    """Whose inodes are others, and which keeps whole seconds."""
    archive = archives.make_tar(tmp_path / "a.tar", CONTENTS)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(archive, elsewhere)
    seconds = int(archive.stat().st_mtime)
    os.utime(archive, ns=(0, seconds * 10**9 + 123_456_789))
    os.utime(elsewhere / "a.tar", (0, seconds))
    version = open_store(f"{tmp_path}", Settings()).stat("a.tar").version
    paths, locations = locate(archive, version)
    found = read_all(f"{elsewhere}", paths, locations, Settings())
    assert found == {f"a.tar/{path}": content for path, content in CONTENTS.items()}


def test_archive_that_is_gone_or_outside_the_roots_is_a_failure(tmp_path: Path) -> None:
    archive = archives.make_tar(tmp_path / "a.tar", {"a.jpg": b"x"})
    paths, locations = locate(archive, b"")
    inside = Settings(image_roots=(tmp_path / "elsewhere",))
    assert read_all(f"{tmp_path}", paths, locations, inside) == {
        "a.tar/a.jpg": FailureReason.OUTSIDE_ROOTS
    }
    archive.unlink()
    assert set(read_all(f"{tmp_path}", paths, locations, Settings()).values()) == {
        FailureReason.MISSING
    }


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_images_of_an_archive_in_a_bucket_are_read(
    tmp_path: Path,
    bucket_server: BucketServer,
    bucket_url: str,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in make_variables(bucket_server.port).items():
        monkeypatch.setenv(name, value)
    make = archives.make_zip if kind == "zip" else archives.make_tar
    archive = make(tmp_path / f"a.{kind}", CONTENTS)
    url = bucket_url
    bucket_server.put(url, f"sub/{archive.name}", archive.read_bytes())
    version = open_store(f"{url}/sub", Settings()).stat(archive.name).version
    assert version
    paths, locations = locate(archive, version)
    found = read_all(f"{url}/sub", paths, locations, Settings())
    assert found == {f"a.{kind}/{path}": content for path, content in CONTENTS.items()}
    bucket_server.put(url, f"sub/{archive.name}", archive.read_bytes() + b"more")
    found = read_all(f"{url}/sub", paths, locations, Settings())
    assert set(found.values()) == {FailureReason.CHANGED}
