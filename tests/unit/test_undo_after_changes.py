"""Undo of files whose places have changed since, and by journals that somebody has changed."""

import errno
import json
import os
import resource
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from shoal.producer.organizing import (
    Header,
    Mode,
    Outcome,
    Step,
    aside,
    run_steps,
    transfer,
    undo,
    undo_known,
)
from shoal.producer.organizing.journal import FILE_NAME, FOLDER_NAME, Journal, read_header
from shoal.producer.organizing.records import make_checksum
from shoal.shared.errors import ShoalError, UsageError
from shoal.shared.images.files import digest_content

NAMES = ("a.jpg", "day/b.jpg")
TARGETS = ("00/a.jpg", "00/day/b.jpg")
FILES = (Mode.HARDLINK, Mode.COPY, Mode.MOVE)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(name))
    return tmp_path / "photos"


@pytest.fixture
def sorted_to(tmp_path: Path) -> Path:
    return tmp_path / "sorted"


def content_of(name: str) -> bytes:
    return f"content of {name}".encode()


def run(photos: Path, directory: Path, mode: Mode) -> Outcome:
    pairs = zip(NAMES, TARGETS, strict=True)
    steps = [Step(name, target, digest_content(content_of(name))) for name, target in pairs]
    return run_steps(directory, Header("organize", "1a2b", str(photos), mode), steps)


def journal_of(directory: Path) -> Path:
    return directory / FOLDER_NAME / FILE_NAME


def change_record(directory: Path, kind: str, change: Any) -> None:
    """Change the first record of a kind, with the checksum that belongs to it."""
    lines = journal_of(directory).read_bytes().splitlines()
    number, record = next(
        (number, record)
        for number, record in enumerate(json.loads(line.partition(b" ")[2]) for line in lines)
        if record[0] == kind
    )
    change(record)
    body = json.dumps(record, separators=(",", ":")).encode()
    lines[number] = make_checksum(body) + b" " + body
    journal_of(directory).write_bytes(b"".join(line + b"\n" for line in lines))


@pytest.mark.parametrize("mode", FILES)
def test_a_folder_that_became_a_link_to_the_originals_costs_none(photos, sorted_to, mode):
    run(photos, sorted_to, mode)
    if mode is Mode.MOVE:  # taken back by hand
        shutil.copytree(sorted_to / "00", photos, dirs_exist_ok=True)
    shutil.rmtree(sorted_to / "00")
    (sorted_to / "00").symlink_to(photos)
    undone = undo(sorted_to)
    assert [(photos / name).read_bytes() for name in NAMES] == [*map(content_of, NAMES)]
    assert [item.reason for item in undone.kept] == ["link", "link"]
    (sorted_to / "00").unlink()
    assert undo(sorted_to).is_complete


@pytest.mark.parametrize("mode", FILES)
def test_a_file_stays_whose_original_has_become_a_link_to_it(photos, sorted_to, mode):
    run(photos, sorted_to, mode)
    (photos / "a.jpg").unlink(missing_ok=True)
    (photos / "a.jpg").symlink_to(sorted_to / "00/a.jpg")
    shutil.rmtree(photos / "day")
    (photos / "day").symlink_to(sorted_to / "00/day")
    undone = undo(sorted_to)
    assert [item.reason for item in undone.kept] == ["link", "link"]
    assert [(sorted_to / target).read_bytes() for target in TARGETS] == [*map(content_of, NAMES)]
    if mode is Mode.MOVE:
        (photos / "a.jpg").unlink()
        (photos / "day").unlink()
        assert undo(sorted_to).is_complete
        assert (photos / "day/b.jpg").read_bytes() == content_of("day/b.jpg")


def test_a_link_to_a_file_of_the_same_content_elsewhere_is_no_original(photos, sorted_to):
    run(photos, sorted_to, Mode.MOVE)
    other = photos.parent / "other.jpg"
    other.write_bytes(content_of("a.jpg"))
    (photos / "a.jpg").symlink_to(other)
    assert [item.reason for item in undo(sorted_to).kept] == ["exists"]
    assert (sorted_to / "00/a.jpg").read_bytes() == content_of("a.jpg")


def test_a_moved_file_that_has_become_a_link_is_told_instead_of_brought_back(photos, sorted_to):
    run(photos, sorted_to, Mode.MOVE)
    (sorted_to / "00/day/b.jpg").unlink()
    (sorted_to / "00/day/b.jpg").symlink_to(sorted_to / "00/a.jpg")  # as by a tool for duplicates
    undone = undo(sorted_to)
    assert (undone.undone, [item.reason for item in undone.kept]) == (1, ["changed"])
    assert not os.path.lexists(photos / "day/b.jpg")


def test_a_run_that_goes_on_takes_no_link_to_a_moved_file_for_its_source(
    photos, sorted_to, monkeypatch
):
    append = Journal.append
    with monkeypatch.context() as patched:
        patched.setattr(
            Journal,
            "append",
            lambda journal, kind, *values: kind != "done" and append(journal, kind, *values),
        )
        run(photos, sorted_to, Mode.MOVE)  # as if it was killed before it noted what is done
    (photos / "day").rmdir()
    (photos / "day").symlink_to(sorted_to / "00/day")
    assert run(photos, sorted_to, Mode.MOVE).done == 2
    assert (sorted_to / "00/day/b.jpg").read_bytes() == content_of("day/b.jpg")


@pytest.mark.parametrize("damage", ["first line", "line ends", "another file"])
def test_a_journal_that_does_not_say_what_it_is_about_stays_as_it_is(photos, sorted_to, damage):
    run(photos, sorted_to, Mode.MOVE)
    path = journal_of(sorted_to)
    whole = path.read_bytes()
    damaged = {
        "first line": b"x" + whole[1:],
        "line ends": whole.replace(b"\n", b"\r\n"),
        "another file": b"notes\n",
    }[damage]
    path.write_bytes(damaged)
    for act in (lambda: undo(sorted_to), lambda: run(photos, sorted_to, Mode.MOVE)):
        with pytest.raises(ShoalError, match="does not say any more where files came from"):
            act()
    assert path.read_bytes() == damaged
    path.write_bytes(whole)
    assert undo(sorted_to).undone == 2


def test_the_journal_stays_while_a_damaged_line_may_be_about_what_is_there(photos, sorted_to):
    run(photos, sorted_to, Mode.MOVE)
    path = journal_of(sorted_to)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"day/b.jpg"', b'"day/c.jpg"', 1))
    undone = undo(sorted_to)
    assert (undone.undone, undone.damaged, undone.is_complete) == (1, 1, False)
    assert (sorted_to / "00/day/b.jpg").exists()
    path.write_bytes(whole)
    assert undo(sorted_to).is_complete
    assert not sorted_to.exists()


@pytest.mark.parametrize("outside", ["../mine.jpg", "/mine.jpg", "00/../../mine.jpg", ""])
@pytest.mark.parametrize("place", [2, 3])
def test_a_journal_that_somebody_wrote_leads_to_no_file_outside(photos, sorted_to, outside, place):
    run(photos, sorted_to, Mode.COPY)
    mine = photos.parent / "mine.jpg"
    mine.write_bytes(content_of("a.jpg"))
    before = sorted(photos.parent.rglob("*"))
    absolute = str(mine) if outside.startswith("/") else outside
    change_record(sorted_to, "step", lambda record: record.__setitem__(place, absolute))
    undone = undo(sorted_to)
    assert (undone.damaged, undone.is_complete) == (1, False)
    assert set(before) - set(photos.parent.rglob("*")) == {
        sorted_to / "00/day/b.jpg",
        sorted_to / "00/day",
    }


@pytest.mark.parametrize("value", [None, "1", -1, [], 1.5, 10**9])
def test_a_record_of_another_shape_is_damaged(photos, sorted_to, value):
    run(photos, sorted_to, Mode.COPY)
    change_record(sorted_to, "step", lambda record: record.__setitem__(1, value))
    assert undo(sorted_to).damaged == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("made", 5),
        ("made", [5]),
        ("made", ["/a\0b"]),
        ("source", 5),
        ("source", "/a\0b"),
        ("source", "\ud800"),
        ("purpose", 5),
        ("mode", ["copy"]),
    ],
)
def test_a_first_line_that_no_run_has_written_is_damaged(photos, sorted_to, name, value):
    run(photos, sorted_to, Mode.COPY)
    change_record(sorted_to, "head", lambda record: record[1].__setitem__(name, value))
    assert read_header(journal_of(sorted_to)) is None
    with pytest.raises(ShoalError, match="does not say any more where files came from"):
        undo(sorted_to)


@pytest.mark.parametrize("kind", ["nested", "pipe", "link"])
def test_a_journal_that_is_none_holds_nobody_up_and_leads_nowhere(photos, sorted_to, kind):
    path, elsewhere = journal_of(sorted_to), photos.parent / "elsewhere"
    sorted_to.mkdir()
    elsewhere.mkdir()
    (elsewhere / "probe").write_text("mine")
    if kind == "link":
        path.parent.symlink_to(elsewhere)
    else:
        path.parent.mkdir()
        deep = b"[" * 60_000
        line = make_checksum(deep) + b" " + deep + b"\n"
        path.write_bytes(line) if kind == "nested" else os.mkfifo(path)
    assert read_header(path) is None
    before = sorted(photos.parent.rglob("*"))
    for act in (lambda: run(photos, sorted_to, Mode.SYMLINK), lambda: undo(sorted_to)):
        with pytest.raises(ShoalError):
            act()
    assert sorted(photos.parent.rglob("*")) == before


def test_what_is_taken_back_is_what_was_looked_at(photos, sorted_to):
    run(photos, sorted_to, Mode.COPY)
    seen = read_header(journal_of(sorted_to))
    change_record(sorted_to, "head", lambda record: record[1].update(source="/elsewhere"))
    with pytest.raises(UsageError, match="has changed meanwhile"):
        undo_known(sorted_to, seen, lambda _seen, _total: None)


def test_a_directory_that_was_renamed_takes_no_other_folder_of_its_old_name_with_it(
    photos, sorted_to
):
    run(photos, sorted_to, Mode.MOVE)
    renamed = sorted_to.rename(sorted_to.with_name("renamed"))
    sorted_to.mkdir()
    undo(renamed)
    assert sorted_to.is_dir()


def test_undo_finds_a_directory_in_the_home(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    run(photos, tmp_path / "sorted", Mode.COPY)
    assert undo("~/sorted").is_complete


def test_nobody_else_can_read_a_copy_of_a_private_file_while_it_is_written(
    photos, sorted_to, monkeypatch
):
    (photos / "a.jpg").chmod(0o600)
    modes, copystat = [], shutil.copystat

    def note(source: Path, partial: Path) -> None:
        modes.append(stat.S_IMODE(partial.stat().st_mode))
        copystat(source, partial)

    monkeypatch.setattr(shutil, "copystat", note)
    run(photos, sorted_to, Mode.COPY)
    assert modes == [0o600, 0o600]
    assert stat.S_IMODE((sorted_to / "00/day/b.jpg").stat().st_mode) == stat.S_IMODE(
        (photos / "day/b.jpg").stat().st_mode
    )


def test_two_directories_that_are_undone_at_once_use_different_names_in_the_source(
    photos, tmp_path, monkeypatch
):
    def refuse(old: Path, new: Path) -> None:
        if old.suffix != ".partial" and photos in {*old.parents, *new.parents}:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(old, new)

    def note(source: Path, partial: Path, digest: int) -> None:
        used.append(partial)
        copy(source, partial, digest)

    rename, copy, used = transfer._rename_at_once, transfer.copy_verified, list[Path]()
    monkeypatch.setattr(transfer, "_rename_at_once", refuse)
    for name in ("one", "two"):
        run(photos, tmp_path / name, Mode.MOVE)
        with monkeypatch.context() as patched:
            patched.setattr(transfer, "copy_verified", note)
            undo(tmp_path / name)
    assert len(set(used)) == 4


def test_moving_duplicates_recommends_no_mode(photos, sorted_to, monkeypatch):
    header = Header("move_duplicates", "1a2b", str(photos), Mode.MOVE)
    monkeypatch.setattr(os, "access", lambda path, _: path != photos)
    with pytest.raises(UsageError, match="is read-only") as raised:
        run_steps(sorted_to, header, [Step("a.jpg", "a.jpg", 0)])
    assert "mode" not in str(raised.value)


def test_a_journal_that_can_grow_no_more_stops_the_run_which_goes_on_later(photos, sorted_to):
    steps = []
    for number in range(60):
        (photos / f"{number}.jpg").write_bytes(b"%d" % number)
        digest = digest_content(b"%d" % number)
        steps.append(Step(f"{number}.jpg", f"00/{'long name ' * 20}{number}.jpg", digest))
    header = Header("organize", "1a2b", str(photos), Mode.MOVE)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(ShoalError, match="the same call goes on") as raised:
            run_steps(sorted_to, header, steps)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not isinstance(raised.value, UsageError)
    assert run_steps(sorted_to, header, steps).done == 60
    assert undo(sorted_to).undone == 60


def test_a_copy_belongs_to_whom_the_file_belonged(photos, sorted_to, monkeypatch):
    given = []
    monkeypatch.setattr(os, "fchown", lambda _, *owner: given.append(owner))
    run(photos, sorted_to, Mode.COPY)
    found = (photos / "a.jpg").stat()
    assert given == [(found.st_uid, found.st_gid)] * 2


def test_the_journal_stays_whole_where_the_directory_cannot_be_written_to(
    photos, sorted_to, monkeypatch
):
    run(photos, sorted_to, Mode.MOVE)
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda path, _: path != sorted_to)
        with pytest.raises(ShoalError, match="sorted: Permission denied"):
            undo(sorted_to)
    assert undo(sorted_to).is_complete
    assert not sorted_to.exists()


def test_a_file_that_cannot_leave_its_folder_gets_no_second_name(photos, sorted_to, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if photos in path.parents:
            refuse()
        known(path, missing_ok)

    known = Path.unlink
    monkeypatch.setattr(transfer, "_rename_at_once", refuse)
    monkeypatch.setattr(Path, "unlink", unlink)
    assert [item.reason for item in run(photos, sorted_to, Mode.MOVE).skipped] == ["refused"] * 2
    assert (photos / "a.jpg").stat().st_nlink == 1
    assert not os.path.lexists(sorted_to / "00/a.jpg")


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.MOVE])
def test_what_somebody_puts_there_while_a_copy_is_written_is_not_taken_for_it(
    photos, sorted_to, monkeypatch, mode
):
    def rename(old: Path, new: Path) -> None:
        if old.suffix != ".partial":
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        if new.name == "a.jpg" and new.parent.name == "00":
            new.write_bytes(content_of("a.jpg"))
        known(old, new)

    known = transfer._rename_at_once
    with monkeypatch.context() as patched:
        patched.setattr(transfer, "_rename_at_once", rename)
        assert [item.reason for item in run(photos, sorted_to, mode).skipped] == ["exists"]
    assert undo(sorted_to).undone == 1
    assert (sorted_to / "00/a.jpg").read_bytes() == content_of("a.jpg")
    assert [path.name for path in sorted_to.rglob("*") if path.is_file()] == ["a.jpg"]


def test_a_file_of_somebody_else_is_not_brought_to_where_none_was_moved_from(
    photos, sorted_to, monkeypatch
):
    def rename(old: Path, new: Path) -> None:
        new.write_bytes(b"mine")
        known(old, new)

    known = transfer._rename_at_once
    with monkeypatch.context() as patched:
        patched.setattr(transfer, "_rename_at_once", rename)
        assert run(photos, sorted_to, Mode.MOVE).done == 0
    (photos / "a.jpg").unlink()
    assert [item.path for item in undo(sorted_to).kept] == ["00/a.jpg"]
    assert not (photos / "a.jpg").exists()


def test_a_journal_that_another_user_has_put_aside_is_not_used(photos, sorted_to, monkeypatch):
    run(photos, sorted_to, Mode.COPY)
    folder = journal_of(sorted_to).parent
    for parent in sorted_to.parents[:2]:
        shutil.copytree(folder, parent / aside._name_aside(sorted_to))
    shutil.rmtree(folder)
    with monkeypatch.context() as patched:
        patched.setattr(os, "geteuid", lambda: folder.parent.stat().st_uid + 1)
        with pytest.raises(UsageError, match="has no journal of Shoal"):
            undo(sorted_to)
    assert undo(sorted_to).undone == 2
