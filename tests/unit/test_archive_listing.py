import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import archives
import pytest

from shoal.producer.submission.inputs import archives as listing
from shoal.producer.submission.inputs.reading import Selection, read_sources
from shoal.producer.submission.listing import Listing
from shoal.shared.errors import SourceError
from shoal.shared.settings import Settings
from shoal.shared.sources.members import Member, Omitted
from shoal.shared.sources.tar import list_tar
from shoal.shared.sources.view import View

NAMES = ["b.jpg", "sub/ä.png", "a.JPG", "notes.txt", "sub/labels.json", "inner.zip", "z.svg"]
HIDDEN = [".hidden.jpg", "sub/.b.jpg", ".git/a.jpg", "__MACOSX/a.jpg", "@eaDir/a.jpg"]
CONTENTS = {name: name.encode() for name in (*NAMES, *HIDDEN)}


def read(*given: Path | str, exclude: tuple[str, ...] = ()) -> Listing:
    return read_sources(list(map(str, given)), Settings(), Selection(exclude=exclude))


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_images_are_those_of_the_same_folder(tmp_path: Path, kind: str) -> None:
    make = archives.make_zip if kind == "zip" else archives.make_tar
    archive = make(tmp_path / f"a.{kind}", CONTENTS)
    folder = tmp_path / "folder"
    for name, content in CONTENTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    found, expected = read(archive), read(folder)
    assert found.source == str(archive)
    assert list(found.paths) == list(expected.paths) == ["a.JPG", "b.jpg", "sub/ä.png"]
    assert found.left_out == expected.left_out
    assert found.locations is not None
    assert {each.archive for each in found.locations} == {"."}
    assert [each.length for each in found.locations] == [len(n.encode()) for n in found.paths]


def test_of_several_archives_paths_begin_with_their_names(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    archives.make_tar(tmp_path / "train" / "1.tar", {"x.jpg": b"one", "x.json": b"{}"})
    archives.make_zip(tmp_path / "2.zip", {"x.jpg": b"two"})
    found = read(tmp_path / "train" / "1.tar", tmp_path / "2.zip")
    assert list(found.paths) == ["2.zip/x.jpg", "train/1.tar/x.jpg"]
    assert found.locations is not None
    assert [each.archive for each in found.locations] == ["2.zip", "train/1.tar"]
    assert len({each.version for each in found.locations}) == 2


def test_of_two_members_of_one_name_the_last_one_counts(tmp_path: Path) -> None:
    archive = archives.make_tar(tmp_path / "a.tar", {"a.jpg": b"old", "b.jpg": b"b"})
    with tarfile.open(archive, "a") as tar:
        (tmp_path / "new").write_bytes(b"newer")
        tar.add(tmp_path / "new", "a.jpg")
    found = read(archive)
    assert list(found.paths) == ["a.jpg", "b.jpg"]
    assert found.locations is not None
    assert [each.length for each in found.locations] == [5, 1]


def test_what_is_never_read_is_told(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as tar:
        for name, kind in (("a.jpg", tarfile.REGTYPE), ("../b.jpg", tarfile.REGTYPE)):
            member = tarfile.TarInfo(name)
            member.type = kind
            tar.addfile(member)
        for number in range(2):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    assert read(archive).left_out.lines == ["in archives: 2 links, 1 unsafe name"]


def test_archive_cut_off_is_told_with_what_is_whole(tmp_path: Path) -> None:
    archive = archives.make_tar(tmp_path / "a.tar", {f"{n}.jpg": bytes(600) for n in range(3)})
    os.truncate(archive, 2 * 1536 + 600)
    found = read(archive)
    assert list(found.paths) == ["0.jpg", "1.jpg"]
    assert found.left_out.lines == [
        f"{archive} cannot be read after 3,072 of 3,672 bytes: it is cut off"
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.zip", b"no zip", "is no zip"),
        ("a.tar", b"no tar" * 999, "is no tar"),
        ("a.tar", bytes(9999), "no images in"),
        ("a.tar.gz", b"", "compressed tar.*unpack it"),
        ("a.tar.zst", b"", "compressed tar.*unpack it"),
        ("a.7z", b"", "is not read: unpack it"),
    ],
)
def test_what_cannot_be_used_is_an_error_that_names_it(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        read(tmp_path / name)
    assert str(tmp_path) in str(caught.value)


def test_archive_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"1\.tar does not exist"):
        read(tmp_path / "1.tar")


def test_braces_and_patterns_name_shards(tmp_path: Path) -> None:
    for number in range(3):
        archives.make_tar(tmp_path / f"s-{number}.tar", {"x.jpg": b"", "x.cls": b""})
    whole = read(tmp_path / "s-{0..2}.tar")
    assert list(whole.paths) == ["s-0.tar/x.jpg", "s-1.tar/x.jpg", "s-2.tar/x.jpg"]
    assert whole.source == str(tmp_path)
    assert whole.inputs == (str(tmp_path / "s-{0..2}.tar"),)
    assert whole.left_out.files == {"cls": 3}
    assert list(read(tmp_path / "s-*.tar").paths) == list(whole.paths)
    assert list(read(tmp_path / "s-{1,2}.tar").paths) == list(whole.paths)[1:]
    with pytest.raises(SourceError, match=r"s-3\.tar cannot be read: No such file"):
        read(tmp_path / "s-{0..3}.tar")


def test_patterns_leave_members_out(tmp_path: Path) -> None:
    archive = archives.make_tar(tmp_path / "a.tar", {"a/x.jpg": b"", "b/x.jpg": b""})
    assert list(read(archive, exclude=("a/",)).paths) == ["b/x.jpg"]


def test_an_archive_and_a_folder_make_one_job(tmp_path: Path) -> None:
    archives.make_tar(tmp_path / "a.tar", {"x.jpg": b"x"})
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "y.jpg").touch()
    found = read(tmp_path / "a.tar", tmp_path / "folder")
    assert list(found.paths) == ["a.tar/x.jpg", "folder/y.jpg"]
    assert found.locations is not None
    assert [each.archive for each in found.locations] == ["a.tar", ""]


def test_archive_that_is_still_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archives.make_tar(tmp_path / "a.tar", {f"{n}.jpg": b"" for n in range(5000)})
    monkeypatch.setattr(listing, "LOCAL_BYTES", (4096, 4096))

    def list_and_change(view: View, omitted: Omitted) -> Iterator[Member]:
        for number, member in enumerate(list_tar(view, omitted)):
            if number == 4000:
                os.utime(archive, (1, 1))
            yield member

    monkeypatch.setattr(listing, "list_tar", list_and_change)
    with pytest.raises(SourceError, match="changes while it is read"):
        read(archive)


def test_change_right_after_the_listing_is_another_version(tmp_path: Path) -> None:
    archive = archives.make_tar(tmp_path / "a.tar", {"a.jpg": b"one"})
    archive.touch()
    before = read(archive).locations
    archive.write_bytes(archive.read_bytes().replace(b"one", b"two"))
    after = read(archive).locations
    assert before is not None
    assert after is not None
    assert before[0].version != after[0].version


def test_archives_in_a_folder_are_not_opened(tmp_path: Path) -> None:
    archives.make_tar(tmp_path / "inner.tar", {"a.jpg": b""})
    (tmp_path / "b.jpg").touch()
    found = read(tmp_path)
    assert list(found.paths) == ["b.jpg"]
    assert found.left_out.files == {"tar": 1}
