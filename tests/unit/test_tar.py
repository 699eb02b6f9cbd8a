import io
import random
import tarfile
from pathlib import Path

import archives
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.shared.errors import SourceError
from shoal.shared.sources.members import Omitted
from shoal.shared.sources.tar import MOST_HEADER_BYTES, list_tar
from shoal.shared.sources.view import LOCAL_BYTES, REMOTE_BYTES, View

LONG = f"{'folder/' * 40}{'n' * 150}.jpg"
FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def add(tar: tarfile.TarFile, name: str, kind: bytes, content: bytes = b"", link: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, len(content), link
    tar.addfile(member, io.BytesIO(content))


def make(**members: tuple[bytes, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, (kind, content) in members.items():
            add(tar, name, kind, content, "a")
    return made.getvalue()


@pytest.mark.parametrize("tar_format", FORMATS)
def test_each_member_is_where_the_index_says(tmp_path: Path, tar_format: int) -> None:
    names = ["a.jpg", "sub/b.png", "ä/ö.jpg", f"{'d' * 90}/{'n' * 90}.jpg"]
    names += [LONG] if tar_format != tarfile.USTAR_FORMAT else []
    contents = {name: name.encode() * 50 for name in names}
    tar = archives.make_tar(tmp_path / "a.tar", contents, tar_format)
    raw = tar.read_bytes()
    members, omitted = archives.list_file(tar)
    found = {m.path: raw[m.offset : m.offset + m.size] for m in members}
    assert found == contents
    assert list(found) == names
    assert omitted == Omitted()


def test_names_of_any_bytes_are_those_of_a_folder(tmp_path: Path) -> None:
    name = b"caf\xe9.jpg".decode(errors="surrogateescape")
    assert archives.names_in(archives.make_tar(tmp_path / "a.tar", {name: b"x"})) == [name]


def test_sizes_beyond_octal_digits_are_read() -> None:
    member = tarfile.TarInfo("large.jpg")
    member.size = 2**40
    header = member.tobuf(tarfile.GNU_FORMAT)
    view = View("it", lambda offset, n: (header + bytes(n))[offset : offset + n], 2**41)
    assert next(list_tar(view, Omitted())).size == 2**40


def test_size_of_a_pax_record_counts() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("a.jpg")
        member.pax_headers = {"size": "3", "path": "other.jpg"}
        tar.addfile(member)
        tar.fileobj.write(b"abc".ljust(512, b"\0"))
    members, _ = archives.list_content(made.getvalue(), "tar")
    assert [(m.path, m.size) for m in members] == [("other.jpg", 3)]


def test_what_is_no_regular_file_is_counted_and_left_out() -> None:
    raw = make(
        a=(tarfile.REGTYPE, b"x"),
        b=(tarfile.LNKTYPE, b""),
        c=(tarfile.SYMTYPE, b""),
        d=(tarfile.CHRTYPE, b""),
        e=(tarfile.FIFOTYPE, b""),
        f=(tarfile.DIRTYPE, b""),
    )
    members, omitted = archives.list_content(raw, "tar")
    assert [member.path for member in members] == ["a"]
    assert omitted.kinds == {"link": 2, "device": 2}


def test_sparse_files_are_left_out_and_those_after_them_are_found() -> None:
    member = tarfile.TarInfo("sparse.jpg")
    member.type, member.size = tarfile.GNUTYPE_SPARSE, 512
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[482] = 1  # one more block with the map of its holes
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 256)
    raw = bytes(header) + bytes(512) + b"x" * 512 + make(after=(tarfile.REGTYPE, b"y"))
    members, omitted = archives.list_content(raw, "tar")
    assert [member.path for member in members] == ["after"]
    assert omitted.kinds == {"sparse file": 1}


@pytest.mark.parametrize("name", ["/etc/a.jpg", "../a.jpg", "sub/../../a.jpg", ".."])
def test_names_that_lead_out_of_a_tar_are_refused(name: str) -> None:
    members, omitted = archives.list_content(make(**{name: (tarfile.REGTYPE, b"x")}), "tar")
    assert members == []
    assert omitted.kinds == {"unsafe name": 1}


def test_dots_in_names_are_taken_away() -> None:
    raw = make(**{"./a.jpg": (tarfile.REGTYPE, b""), "b//./c.jpg": (tarfile.REGTYPE, b"")})
    assert [member.path for member in archives.list_content(raw, "tar")[0]] == ["a.jpg", "b/c.jpg"]


def test_of_a_tar_cut_off_what_is_whole_is_listed(tmp_path: Path) -> None:
    contents = {f"{n}.jpg": bytes(2000) for n in range(5)}
    raw = archives.make_tar(tmp_path / "a.tar", contents).read_bytes()
    members, omitted = archives.list_content(raw[: 3 * 2560 + 1000], "tar")
    assert [member.path for member in members] == ["0.jpg", "1.jpg", "2.jpg"]
    assert omitted.damage == "cannot be read after 7,680 of 8,680 bytes: it is cut off"
    # Without the blocks at its end it is whole all the same.
    assert archives.list_content(raw[: 5 * 2560], "tar")[1].damage == ""
    assert "cut off" in archives.list_content(raw[: 5 * 2560 + 100], "tar")[1].damage


def test_damaged_header_ends_the_listing() -> None:
    raw = bytearray(make(a=(tarfile.REGTYPE, b"x"), b=(tarfile.REGTYPE, b"y")))
    raw[1024 + 5] ^= 1
    members, omitted = archives.list_content(bytes(raw), "tar")
    assert [member.path for member in members] == ["a"]
    assert "its next header is damaged" in omitted.damage


def test_what_is_no_tar_is_an_error() -> None:
    with pytest.raises(SourceError, match="it is no tar"):
        archives.list_content(b"\xff\xd8" * 1000, "tar")


def test_header_of_any_size_does_not_fill_the_memory() -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 2**40
    raw = make(a=(tarfile.REGTYPE, b"x"))[:1024] + member.tobuf(tarfile.GNU_FORMAT)
    asked = list[int]()

    def read_range(offset: int, n: int) -> bytes:
        asked.append(n)
        return raw[offset : offset + n]

    omitted = Omitted()
    assert len(list(list_tar(View("it", read_range, 2**41), omitted))) == 1
    assert "a header has 1,099,511,627,776 bytes" in omitted.damage
    assert max(asked) <= MOST_HEADER_BYTES


def test_contents_of_large_members_are_not_read(tmp_path: Path) -> None:
    tar = archives.make_tar(tmp_path / "a.tar", {f"{n}.jpg": bytes(100_000) for n in range(50)})
    raw = tar.read_bytes()
    view = archives.view_of(raw)
    assert len(list(list_tar(view, Omitted()))) == 50
    assert view.bytes_read < 0.1 * len(raw)
    # A server is asked rarely: reading on costs less than another request.
    asked = list[int]()

    def ask(offset: int, n: int) -> bytes:
        asked.append(n)
        return raw[offset : offset + n]

    far = View("it", ask, len(raw), REMOTE_BYTES)
    assert len(list(list_tar(far, Omitted()))) == 50
    assert len(asked) <= 8


@pytest.fixture(scope="module")
def real_tars() -> list[bytes]:
    names = ["a.jpg", LONG, "sub/ä.png", "link"]
    made = []
    for tar_format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", format=tar_format) as tar:
            for name in names:
                kind = tarfile.SYMTYPE if name == "link" else tarfile.REGTYPE
                add(tar, name, kind, b"" if name == "link" else name.encode() * 9, LONG)
        made.append(raw.getvalue()[:-9000])
    return made


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), n_changes=st.integers(1, 12))
def test_a_tar_with_any_bytes_changed_gives_members_or_our_error(
    real_tars: list[bytes], seed: int, n_changes: int
) -> None:
    choice = random.Random(seed)
    raw = bytearray(choice.choice(real_tars))
    for _ in range(n_changes):
        place = choice.randrange(len(raw)) // 512 * 512 + choice.choice(
            [choice.randrange(512), 156]
        )
        raw[min(place, len(raw) - 1)] = choice.randrange(256)
    if choice.random() < 0.8:  # what a checksum finds hides all else
        for place in range(0, len(raw) - 512, 512):
            block = raw[place : place + 512]
            total = sum(block) - sum(block[148:156]) + 256
            raw[place + 148 : place + 156] = b"%06o\0 " % total
    try:
        members, _ = archives.list_content(bytes(raw), "tar")
    except SourceError:
        return
    for member in members:
        assert 0 <= member.offset <= member.offset + member.size <= len(raw)
        assert not member.path.startswith(("/", "../"))
    assert len(members) <= len(raw) // 512


NAME = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(NAME, st.binary(max_size=1500), max_size=6),
    st.sampled_from(FORMATS[1:]),
    st.sampled_from([LOCAL_BYTES, REMOTE_BYTES, (1, 1)]),
)
def test_the_index_is_that_of_pythons_own_tarfile(
    contents: dict[str, bytes], tar_format: int, ahead: tuple[int, int]
) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tar_format) as tar:
        for name, content in contents.items():
            add(tar, name.replace("/", "|").strip(".") or "-", tarfile.REGTYPE, content)
    raw = made.getvalue()
    found = list(list_tar(archives.view_of(raw, ahead), Omitted()))
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        expected = [(m.name, m.offset_data, m.size) for m in tar.getmembers()]
    assert [(m.path, m.offset, m.size) for m in found] == expected
