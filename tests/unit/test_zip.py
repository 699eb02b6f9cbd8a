import io
import random
import struct
import zipfile
import zlib
from pathlib import Path

import archives
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.shared.errors import SourceError
from shoal.shared.sources.members import Member, Omitted
from shoal.shared.sources.view import LOCAL_BYTES, REMOTE_BYTES, View
from shoal.shared.sources.zip import ENCRYPTED, ENTRY, list_zip


def zip_of(*members: tuple[str | zipfile.ZipInfo, bytes], comment: bytes = b"") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.comment = comment
    return made.getvalue()


def list_members(raw: bytes) -> list[Member]:
    return archives.list_content(raw, "zip")[0]


def change(raw: bytes, offset: int, form: str, value: int) -> bytes:
    """Change a field of the first entry of the directory."""
    changed = bytearray(raw)
    struct.pack_into(form, changed, raw.index(b"PK\x01\x02") + offset, value)
    return bytes(changed)


def test_members_have_what_the_directory_says() -> None:
    raw = zip_of(("a.jpg", b"a" * 900), ("sub/", b""), ("sub/b.jpg", b"b" * 800))
    first, second = list_members(raw)
    assert (first.path, first.offset, first.length, first.method) == ("a.jpg", 0, 900, 8)
    assert (second.path, second.checksum) == ("sub/b.jpg", zlib.crc32(b"b" * 800))
    assert raw[second.offset :][:4] == b"PK\x03\x04"
    assert second.size < 50


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_method_that_is_not_read_is_listed_all_the_same(tmp_path: Path, method: int) -> None:
    path = archives.make_zip(tmp_path / "a.zip", {"a.jpg": b"a" * 900}, method)
    assert [member.method for member in archives.list_file(path)[0]] == [method]


def test_encrypted_members_are_listed_as_such() -> None:
    raw = change(zip_of(("a.jpg", b"a")), 8, "<H", 1)
    assert [member.method for member in list_members(raw)] == [ENCRYPTED]


def test_names_in_utf_8_and_of_the_first_pcs_are_read() -> None:
    assert [m.path for m in list_members(zip_of(("ä.jpg", b"")))] == ["ä.jpg"]
    old = zip_of(("_.jpg", b"")).replace(b"_.jpg", b"\x84.jpg")
    assert [m.path for m in list_members(old)] == ["ä.jpg"]


def test_name_in_utf_8_of_macos_and_info_zip_which_do_not_say_so_is_read() -> None:
    silent = zip_of(("__.jpg", b"")).replace(b"__.jpg", "ä.jpg".encode())
    assert [m.path for m in list_members(silent)] == ["ä.jpg"]


def test_name_in_the_field_of_info_zip_counts() -> None:
    info = zipfile.ZipInfo("_.jpg")
    wanted = "日.jpg".encode()
    field = b"\1" + struct.pack("<L", zlib.crc32(b"\x84.jpg")) + wanted
    info.extra = struct.pack("<2H", 0x7075, len(field)) + field
    old = zip_of((info, b"")).replace(b"_.jpg", b"\x84.jpg")
    assert [m.path for m in list_members(old)] == ["日.jpg"]


def test_backslashes_of_old_windows_programs_are_folders() -> None:
    info = zipfile.ZipInfo("sub/a.jpg")
    info.create_system = 0
    raw = zip_of((info, b"")).replace(b"sub/a.jpg", b"sub\\a.jpg")
    assert [m.path for m in list_members(raw)] == ["sub/a.jpg"]


@pytest.mark.parametrize("name", ["/etc/a.jpg", "../a.jpg", "sub/../../a.jpg"])
def test_names_that_lead_out_of_a_zip_are_refused(name: str) -> None:
    members, omitted = archives.list_content(zip_of((name, b"x")), "zip")
    assert members == []
    assert omitted.kinds == {"unsafe name": 1}


@pytest.mark.parametrize(("mode", "what"), [(0o120777, "link"), (0o020600, "device")])
def test_links_and_devices_are_left_out(mode: int, what: str) -> None:
    info = zipfile.ZipInfo("a.jpg")
    info.external_attr = mode << 16
    members, omitted = archives.list_content(zip_of((info, b"/etc/passwd"), ("b.jpg", b"")), "zip")
    assert [member.path for member in members] == ["b.jpg"]
    assert [name.split()[0] for name in omitted.kinds] == [what]


def test_directory_is_found_before_a_comment_and_behind_a_program() -> None:
    raw = b"#!/bin/sh\n" * 100 + zip_of(("a.jpg", b"abc"), comment=b"PK\x05\x06" * 9000)
    (member,) = list_members(raw)
    assert raw[member.offset :][:4] == b"PK\x03\x04"


def test_more_members_than_16_bits_count_and_zip64_are_read() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"{number}.jpg"), b"")
    members = list_members(made.getvalue())
    assert [member.path for member in members] == [f"{number}.jpg" for number in range(70_000)]


def test_offsets_beyond_32_bits_are_read() -> None:
    raw = zip_of(("a.jpg", b""))
    start = raw.index(b"PK\x01\x02")
    entry = bytearray(raw[start : start + ENTRY.size + 5])
    extra = struct.pack("<2HQ", 1, 8, 2**33)
    struct.pack_into("<H", entry, 30, len(extra))
    struct.pack_into("<L", entry, 42, 2**32 - 1)
    directory, at = bytes(entry) + extra, 2**34
    end_64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(directory), at)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at + len(directory), 1)
    full = 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1
    tail = directory + end_64 + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *full, 0)
    padded = bytes(2**17) + tail
    base = at - 2**17
    view = View("it", lambda offset, n: padded[offset - base :][:n], at + len(tail))
    assert [member.offset for member in list_zip(view, Omitted())] == [2**33]


def test_members_that_overlap_are_refused() -> None:
    raw = zip_of(("a.jpg", b"a" * 5000), ("b.jpg", b"b" * 5000))
    start = raw.index(b"PK\x01\x02")
    second = raw.index(b"PK\x01\x02", start + 1)
    bomb = bytearray(raw)
    struct.pack_into("<L", bomb, second + 42, 4)  # begins within the first one
    with pytest.raises(SourceError, match="overlap"):
        list_members(bytes(bomb))
    struct.pack_into("<L", bomb, second + 42, 0)  # is the first one
    with pytest.raises(SourceError, match="overlap"):
        list_members(bytes(bomb))


def test_members_in_another_order_than_their_directory_do_not_overlap() -> None:
    raw = zip_of(("a.jpg", b"a" * 5000), ("b.jpg", b"b" * 5000))
    first, second = raw.index(b"PK\x01\x02"), raw.rindex(b"PK\x01\x02")
    length = second - first
    turned = (
        raw[:first] + raw[second : second + length] + raw[first:second] + raw[second + length :]
    )
    assert [member.path for member in list_members(turned)] == ["b.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\xff\xd8" * 100, "it is no zip"),
        (b"", "it is no zip"),
        (zip_of(("a.jpg", b"x" * 100))[:-30], "it is no zip, or it is cut off"),
        (zip_of(("a.jpg", b"x" * 100))[50:], "damaged"),
        (change(zip_of(("a.jpg", b"x")), 0, "<L", 0), "no zip|damaged"),
        (change(zip_of(("a.jpg", b"x")), 28, "<H", 9999), "damaged"),
        (change(zip_of(("a.jpg", b"x")), 20, "<L", 9999), "damaged"),
        (zip_of(("a.jpg", b"x")).replace(b"PK\5\6\0\0", b"PK\5\6\1\0"), "several parts"),
    ],
    ids=range(8),  # a zip has the time in it
)
def test_damage_is_an_error_that_says_so(raw: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        list_members(raw)


def test_only_the_directory_is_read(tmp_path: Path) -> None:
    contents = {f"{n}.jpg": random.Random(n).randbytes(20_000) for n in range(100)}
    raw = archives.make_zip(tmp_path / "a.zip", contents).read_bytes()
    view = archives.view_of(raw, REMOTE_BYTES)
    assert len(list(list_zip(view, Omitted()))) == 100
    assert view.bytes_read < 0.05 * len(raw)


@pytest.fixture(scope="module")
def real_zip() -> bytes:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.jpg", "sub/ä.png", link):
            archive.writestr(name, b"content" * 9)
        with archive.open("large.jpg", "w", force_zip64=True) as large:
            large.write(b"large")
    return made.getvalue()


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), n_changes=st.integers(1, 8))
def test_a_zip_with_any_bytes_changed_gives_members_or_our_error(
    real_zip: bytes, seed: int, n_changes: int
) -> None:
    choice = random.Random(seed)
    raw = bytearray(real_zip)
    directory = raw.index(b"PK\x01\x02")
    for _ in range(n_changes):
        raw[choice.randrange(directory, len(raw))] = choice.choice(
            [0, 1, 255, choice.randrange(256)]
        )
    try:
        members, _ = archives.list_content(bytes(raw), "zip")
    except SourceError:
        return
    for member in members:
        assert 0 <= member.offset <= member.offset + member.size <= len(raw)
        assert not member.path.startswith(("/", "../"))


NAME = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(NAME, st.binary(max_size=1500), max_size=6),
    st.sampled_from([LOCAL_BYTES, REMOTE_BYTES, (1, 1)]),
)
def test_the_index_is_that_of_pythons_own_zipfile(
    contents: dict[str, bytes], ahead: tuple[int, int]
) -> None:
    # A slash makes a folder, a dot may lead out of it.
    names = {
        name.replace("/", "|").strip(".") or "-": content for name, content in contents.items()
    }
    raw = zip_of(*names.items())
    found = list(list_zip(archives.view_of(raw, ahead), Omitted()))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        expected = [
            (i.filename, i.header_offset, i.compress_size, i.CRC) for i in archive.infolist()
        ]
    assert [(m.path, m.offset, m.size, m.checksum) for m in found] == expected


def test_a_length_that_no_file_has_is_damage() -> None:
    name = zipfile.ZipInfo("a.jpg")
    name.extra = struct.pack("<2HQ", 1, 8, 2**64 - 1)
    raw = change(zip_of((name, b"a" * 900)), 24, "<L", 2**32 - 1)
    with pytest.raises(SourceError, match="is damaged"):
        list_members(raw)
