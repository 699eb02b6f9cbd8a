import random
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import archives
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.sources.archives import find_packed, read_members
from shoal.shared.sources.locations import Location
from shoal.shared.sources.ranges import MOST_RANGE_BYTES, MOST_WINDOW_BYTES
from shoal.shared.sources.unpacking import PackedMember

MOST_BYTES = 2**20


class Reader:
    """Reads parts of files, and notes which."""

    def __init__(self) -> None:
        self.parts = list[tuple[int, int]]()

    def __call__(self, archive: str, _version: bytes, offset: int, length: int) -> bytes:
        self.parts.append((offset, length))
        return Path(archive).read_bytes()[offset : offset + length]


def packed(archive: Path) -> list[PackedMember]:
    """List an archive as a job has it: in the order of the paths."""
    members = sorted(archives.list_file(archive)[0])
    return [
        find_packed(f"{archive}", path, Location(size, b"", ".", offset, method, length, checksum))
        for path, offset, size, length, method, checksum in members
    ]


def read_all(archive: Path, most_bytes: int = MOST_BYTES) -> dict[str, bytes | FailureReason]:
    members = packed(archive)
    found = read_members(members, most_bytes, Reader())
    return {
        member.path: each.reason if isinstance(each, UnreadableImageError) else each
        for member, each in zip(members, found, strict=True)
    }


def make_contents(n_images: int = 30) -> dict[str, bytes]:
    """Make contents whose order in an archive is not that of their paths."""
    choice = random.Random(0)
    names = [f"{n % 3}/é{n}.jpg" for n in range(n_images)]
    choice.shuffle(names)
    return {name: choice.randbytes(choice.randrange(1, 5000)) + name.encode() for name in names}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_of_a_zip_are_what_was_packed(tmp_path: Path, method: int) -> None:
    contents = make_contents()
    assert read_all(archives.make_zip(tmp_path / "a.zip", contents, method)) == contents


def test_members_of_a_tar_are_what_was_packed(tmp_path: Path) -> None:
    contents = make_contents()
    assert read_all(archives.make_tar(tmp_path / "a.tar", contents)) == contents


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_what_lies_together_is_read_at_once_in_any_order(tmp_path: Path, kind: str) -> None:
    make = archives.make_zip if kind == "zip" else archives.make_tar
    reader = Reader()
    members = packed(make(tmp_path / f"a.{kind}", make_contents()))
    assert len(list(read_members(members, MOST_BYTES, reader))) == 30
    assert len(reader.parts) == 1


def test_memory_is_bounded_however_much_a_batch_has() -> None:
    size = MOST_RANGE_BYTES // 3
    members = [
        PackedMember("a.tar", f"{n}", Location(size, offset=n * size, length=size))
        for n in range(99)
    ]
    begun = 0

    def read(_archive: str, _version: bytes, _offset: int, length: int) -> bytes:
        assert length <= MOST_RANGE_BYTES
        return bytes(length)

    def begin(call: Callable[[], bytes]) -> Callable[[], bytes]:
        nonlocal begun
        begun += 1
        content = call()
        return lambda: content

    most = 0
    for number, content in enumerate(read_members(members, size, read, begin)):
        assert isinstance(content, bytes)
        most = max(most, begun * MOST_RANGE_BYTES - number * size)
    assert most <= 2 * MOST_WINDOW_BYTES + 2 * MOST_RANGE_BYTES


def test_members_of_several_archives_are_not_mixed(tmp_path: Path) -> None:
    first = packed(archives.make_tar(tmp_path / "a.tar", {"x.jpg": b"first"}))
    second = packed(archives.make_zip(tmp_path / "b.zip", {"x.jpg": b"second"}))
    assert list(read_members([*second, *first], 99, Reader())) == [b"second", b"first"]


def test_paths_in_one_of_several_archives_begin_with_its_name() -> None:
    location = Location(archive="2019/a.tar")
    found = find_packed("s3://bucket", "2019/a.tar/x/y.jpg", location)
    assert (found.archive, found.path) == ("s3://bucket/2019/a.tar", "x/y.jpg")


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (zipfile.ZIP_BZIP2, FailureReason.UNSUPPORTED),
        (zipfile.ZIP_LZMA, FailureReason.UNSUPPORTED),
    ],
)
def test_methods_that_are_not_read_say_so(
    tmp_path: Path, method: int, reason: FailureReason
) -> None:
    assert read_all(archives.make_zip(tmp_path / "a.zip", {"a": b"x"}, method)) == {"a": reason}


def damage(archive: Path, offset: int, form: str, value: int, mark: bytes = b"PK\x01\x02") -> Path:
    raw = bytearray(archive.read_bytes())
    struct.pack_into(form, raw, raw.index(mark) + offset, value)
    archive.write_bytes(raw)
    return archive


def test_encrypted_members_say_so(tmp_path: Path) -> None:
    archive = damage(archives.make_zip(tmp_path / "a.zip", {"a": b"x"}), 8, "<H", 1)
    (error,) = read_members(packed(archive), 99, Reader())
    assert isinstance(error, UnreadableImageError)
    assert error.reason is FailureReason.UNSUPPORTED
    assert "password" in error.detail


def test_no_byte_is_read_of_what_is_too_large_or_empty(tmp_path: Path) -> None:
    archive = archives.make_zip(tmp_path / "a.zip", {"empty": b"", "large": bytes(100), "ok": b"x"})
    reader = Reader()
    found = list(read_members([m for m in packed(archive) if m.path != "ok"], 99, reader))
    assert [error.reason for error in found if isinstance(error, UnreadableImageError)] == [
        FailureReason.EMPTY,
        FailureReason.TOO_MANY_BYTES,
    ]
    assert reader.parts == []
    assert read_all(archive, 99)["ok"] == b"x"


@pytest.mark.parametrize("said", [50, 2_000_000_000])
def test_members_that_unpack_to_another_length_are_damaged(tmp_path: Path, said: int) -> None:
    archive = archives.make_zip(tmp_path / "a.zip", {"bomb": bytes(10**7)})
    damage(archive, 24, "<L", said)
    reader = Reader()
    (error,) = read_members(packed(archive), 2**40, reader)
    assert isinstance(error, UnreadableImageError)
    assert error.reason is FailureReason.DAMAGED
    # Deflate has no such ratio: nothing needs to be read to know that.
    assert bool(reader.parts) == (said == 50)


@pytest.mark.parametrize(
    ("offset", "form", "value", "mark"),
    [
        (16, "<L", 0, b"PK\x01\x02"),  # checksum
        (0, "<L", 0, b"PK\x03\x04"),  # mark of the local header
        (8, "<H", 0, b"PK\x03\x04"),  # method there
        (30, "<B", ord("b"), b"PK\x03\x04"),  # name there
    ],
)
def test_damaged_members_are_failures(
    tmp_path: Path, offset: int, form: str, value: int, mark: bytes
) -> None:
    archive = archives.make_zip(tmp_path / "a.zip", {"a": b"x" * 100, "c": b"whole"})
    damage(archive, offset, form, value, mark)
    assert read_all(archive) == {"a": FailureReason.DAMAGED, "c": b"whole"}


def test_long_extra_fields_are_read_over(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("a.jpg")
        info.extra = struct.pack("<2H", 0x9999, 5000) + bytes(5000)
        archive.writestr(info, b"x" * 5000)
    assert read_all(path) == {"a.jpg": b"x" * 5000}


def test_archive_that_ends_early_is_a_failure(tmp_path: Path) -> None:
    archive = archives.make_tar(tmp_path / "a.tar", {"a": b"x" * 2000, "b": b"y" * 2000})
    members = packed(archive)
    archive.write_bytes(archive.read_bytes()[:4000])
    first, second = read_members(members, 9999, Reader())
    assert first == b"x" * 2000
    assert isinstance(second, UnreadableImageError)
    assert second.reason is FailureReason.TRUNCATED


def test_archive_that_cannot_be_read_is_a_failure_of_each_member(tmp_path: Path) -> None:
    members = packed(archives.make_tar(tmp_path / "a.tar", {"a": b"x", "b": b"y"}))
    error = UnreadableImageError(FailureReason.MISSING, "changed")

    def refuse(*_: object) -> bytes:
        raise error

    assert list(read_members(members, 9999, refuse)) == [error, error]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 20), st.sampled_from(["tar", "zip"]))
def test_changed_bytes_never_give_more_than_an_image_or_our_error(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n_changes: int, kind: str
) -> None:
    folder, choice = tmp_path_factory.getbasetemp(), random.Random(seed)
    contents: Mapping[str, bytes] = {f"{n}.jpg": bytes(200 * n) + b"x" for n in range(4)}
    make = archives.make_zip if kind == "zip" else archives.make_tar
    archive = make(folder / f"fuzzed.{kind}", contents)
    members = packed(archive)
    raw = bytearray(archive.read_bytes())
    for _ in range(n_changes):
        raw[choice.randrange(len(raw))] = choice.randrange(256)
    archive.write_bytes(raw)
    members = [
        replace(m, location=replace(m.location, offset=choice.choice([m.location.offset, 7])))
        for m in members
    ]
    for found in read_members(members, 700, Reader()):
        assert isinstance(found, UnreadableImageError) or len(found) <= 700


def test_many_bytes_that_say_to_unpack_to_few_are_never_read() -> None:
    location = Location(3 * 10**9, b"", ".", 0, 8, length=100)
    reader = Reader()
    (found,) = read_members([find_packed("/bomb.zip", "a.jpg", location)], MOST_BYTES, reader)
    assert isinstance(found, UnreadableImageError)
    assert (found.reason, reader.parts) == (FailureReason.TOO_MANY_BYTES, [])
