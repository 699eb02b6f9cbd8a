"""Steps in a directory: what is done, what is refused, and what undo takes back."""

import errno
import os
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from shoal.producer.organizing import Header, Mode, Outcome, Step, run_steps, transfer, undo
from shoal.producer.organizing.journal import FOLDER_NAME, Journal, open_journal
from shoal.producer.organizing.run import foresee_steps
from shoal.producer.organizing.transfer import read_digest
from shoal.shared.errors import ShoalError, SourceError, UsageError
from shoal.shared.images.files import digest_content

NAMES = ("a.jpg", "day/a.jpg", "day/caf\udce9.jpg")
TARGETS = ("00/a.jpg", "00/day/a.jpg", "01/day/caf\udce9.jpg")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(f"content of {name}"))
    return tmp_path / "photos"


@pytest.fixture
def sorted_to(tmp_path: Path) -> Path:
    return tmp_path / "new" / "sorted"


def make_steps(photos: Path) -> list[Step]:
    pairs = zip(NAMES, TARGETS, strict=True)
    return [Step(name, target, read_digest(photos / name)) for name, target in pairs]


def run(photos: Path, directory: Path, mode: Mode, steps: list[Step] | None = None) -> Outcome:
    header = Header("organize", "1a2b", str(photos), mode)
    return run_steps(directory, header, make_steps(photos) if steps is None else steps)


def list_files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if path.parent.name != FOLDER_NAME
    }


def test_a_file_read_in_parts_has_the_digest_of_its_content(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "BLOCK_BYTES", 7)
    (tmp_path / "a").write_bytes(b"0123456789" * 5)
    assert read_digest(tmp_path / "a") == digest_content(b"0123456789" * 5)


@pytest.mark.parametrize("mode", Mode)
def test_each_mode_brings_every_file_and_undo_returns_to_the_start(photos, sorted_to, mode):
    before = list_files(photos)
    seen = []
    header = Header("organize", "1a2b", str(photos), mode)
    outcome = run_steps(sorted_to, header, make_steps(photos), lambda *counts: seen.append(counts))
    assert (outcome.done, outcome.present, outcome.skipped) == (3, 0, [])
    assert seen[-1] == (3, 3)
    assert list_files(sorted_to) == {
        target: before[name] for name, target in zip(NAMES, TARGETS, strict=True)
    }
    assert list_files(photos) == ({} if mode is Mode.MOVE else before)
    first, source = sorted_to / TARGETS[0], photos / NAMES[0]
    assert first.is_symlink() == (mode is Mode.SYMLINK)
    assert (first.lstat().st_nlink == 2) == (mode is Mode.HARDLINK)

    undone = undo(sorted_to)
    assert (undone.undone, undone.kept, undone.mode) == (3, [], mode)
    assert list_files(photos) == before
    assert source.stat().st_nlink == 1
    assert not sorted_to.parent.exists()


@pytest.mark.parametrize("mode", Mode)
def test_a_second_run_finds_all_done_and_one_that_lacks_a_file_makes_it_again(
    photos, sorted_to, mode
):
    steps = make_steps(photos)
    run(photos, sorted_to, mode, steps)
    assert run(photos, sorted_to, mode, steps).done == 3
    if mode is not Mode.MOVE:
        (sorted_to / TARGETS[1]).unlink()
    assert run(photos, sorted_to, mode, steps).done == 3
    assert (sorted_to / TARGETS[1]).read_bytes() == b"content of day/a.jpg"


@pytest.mark.parametrize("mode", Mode)
def test_what_is_there_is_never_replaced(photos, sorted_to, mode):
    (sorted_to / "00").mkdir(parents=True)
    (sorted_to / TARGETS[0]).write_bytes(b"mine")
    outcome = run(photos, sorted_to, mode)
    assert [(item.path, item.reason) for item in outcome.skipped] == [("a.jpg", "exists")]
    assert (sorted_to / TARGETS[0]).read_bytes() == b"mine"
    assert (photos / "a.jpg").exists()
    assert undo(sorted_to).kept == []
    assert list_files(sorted_to) == {TARGETS[0]: b"mine"}


def test_the_same_copy_there_before_counts_as_present_and_undo_leaves_it(photos, sorted_to):
    (sorted_to / "00").mkdir(parents=True)
    shutil.copy(photos / "a.jpg", sorted_to / TARGETS[0])
    outcome = run(photos, sorted_to, Mode.COPY)
    assert (outcome.done, outcome.present, outcome.skipped) == (2, 1, [])
    undo(sorted_to)
    assert list_files(sorted_to) == {TARGETS[0]: b"content of a.jpg"}


@pytest.mark.parametrize("mode", Mode)
def test_a_file_that_changed_or_is_gone_is_skipped(photos, sorted_to, mode):
    steps = make_steps(photos)
    (photos / NAMES[0]).write_bytes(b"edited meanwhile")
    (photos / NAMES[1]).unlink()
    outcome = run(photos, sorted_to, mode, steps)
    assert [(item.path, str(item.reason)) for item in outcome.skipped] == (
        [("day/a.jpg", "missing"), ("a.jpg", "changed")]
        if mode is Mode.COPY  # which is compared while it is read
        else [("a.jpg", "changed"), ("day/a.jpg", "missing")]
    )
    assert (photos / NAMES[0]).read_bytes() == b"edited meanwhile"
    assert list(list_files(sorted_to)) == [TARGETS[2]]


def test_a_link_is_not_moved_for_its_file_would_stay(photos, sorted_to):
    (photos / "link.jpg").symlink_to(photos / "a.jpg")
    steps = [Step("link.jpg", "00/link.jpg", read_digest(photos / "a.jpg"))]
    assert [item.reason for item in run(photos, sorted_to, Mode.MOVE, steps).skipped] == ["link"]
    undo(sorted_to)
    assert run(photos, sorted_to, Mode.HARDLINK, steps).done == 1
    assert (sorted_to / "00/link.jpg").samefile(photos / "a.jpg")


def test_a_link_in_the_directory_leads_no_file_out_of_it(photos, sorted_to):
    sorted_to.mkdir(parents=True)
    (sorted_to / "00").symlink_to(photos)
    outcome = run(photos, sorted_to, Mode.MOVE)
    assert [item.reason for item in outcome.skipped] == ["refused", "refused"]
    assert outcome.done == 1


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EXDEV])
def test_files_move_where_no_rename_is_possible(photos, sorted_to, monkeypatch, number):
    rename = transfer._rename_at_once

    def refuse(old: Path, new: Path) -> None:
        # A mount of the same file system has its device, and still no rename reaches it.
        if number == errno.EINVAL or (
            old.suffix != ".partial" and photos in {*old.parents, *new.parents}
        ):
            raise OSError(number, os.strerror(number))
        rename(old, new)

    monkeypatch.setattr(transfer, "_rename_at_once", refuse)
    before = list_files(photos)
    assert run(photos, sorted_to, Mode.MOVE).done == 3
    assert list_files(photos) == {}
    undo(sorted_to)
    assert list_files(photos) == before


def test_taking_copies_back_touches_nothing_in_the_source(photos, sorted_to, monkeypatch):
    run(photos, sorted_to, Mode.COPY)
    removed, unlink = [], Path.unlink

    def note(path: Path, missing_ok: bool = False) -> None:
        removed.append(path)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", note)
    assert undo(sorted_to).undone == 3
    assert not [path for path in removed if photos in path.parents]


def test_two_names_of_a_file_that_was_being_moved_become_one(photos, sorted_to):
    steps = make_steps(photos)
    run(photos, sorted_to, Mode.MOVE, steps)
    with open_journal(sorted_to) as journal:
        journal.flags[0] = Journal.BEGUN
        assert journal.has(1, Journal.DONE)
    os.link(sorted_to / TARGETS[0], photos / NAMES[0])
    undo(sorted_to)
    assert list_files(photos).keys() == set(NAMES)


@pytest.mark.parametrize(
    ("directory", "source", "message"),
    [
        ("photos/sorted", "photos", "is inside"),
        (".", "photos", "is inside"),
        ("photos", "photos", "is inside"),
        ("photos/a.jpg/sorted", "photos/day", "no directory"),
        ("sorted", "elsewhere", "not on this machine"),
    ],
)
def test_places_that_do_not_go_together_are_refused(photos, directory, source, message):
    before = set(photos.parent.rglob("*"))
    with pytest.raises(UsageError, match=message):
        run(photos.parent / source, photos.parent / directory, Mode.MOVE, [])
    assert set(photos.parent.rglob("*")) == before
    assert issubclass(SourceError, UsageError)


def test_of_a_directory_that_cannot_be_made_nothing_is_left(photos, tmp_path):
    with pytest.raises(UsageError, match="cannot be used"):
        run(photos, tmp_path / "new" / "deep" / ("x" * 300), Mode.COPY)
    assert list(tmp_path.iterdir()) == [photos]


def test_a_folder_that_is_read_only_is_told_before_anything_is_done(photos, sorted_to, monkeypatch):
    closed: list[Path] = []
    monkeypatch.setattr(os, "access", lambda path, _: path not in closed)
    closed[:] = [photos / "day"]
    with pytest.raises(UsageError, match=r"moved out of .*/day, which is read-only.*`mode='copy'`"):
        run(photos, sorted_to, Mode.MOVE)
    closed[:] = [sorted_to.parent.parent]
    with pytest.raises(UsageError, match="cannot be written to: choose another directory"):
        run(photos, sorted_to, Mode.COPY)
    assert not sorted_to.parent.exists()
    closed[:] = [photos / "day"]
    assert run(photos, sorted_to, Mode.COPY).done == 3


@pytest.mark.parametrize(
    ("mode", "function"), [(Mode.SYMLINK, "symlink_to"), (Mode.HARDLINK, "hardlink_to")]
)
def test_a_file_system_without_links_is_told_and_nothing_is_left(
    photos, sorted_to, monkeypatch, mode, function
):
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, function, refuse)
    with pytest.raises(UsageError, match=r"has no such links .*: choose `mode='copy'`"):
        run(photos, sorted_to, mode)
    assert not sorted_to.parent.exists()
    assert run(photos, sorted_to, Mode.COPY).done == 3


def test_no_file_gets_a_second_name_on_another_file_system(photos):
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == photos.stat().st_dev:
        pytest.skip("there is no second file system")
    with pytest.raises(UsageError, match="on another file system than"):
        run(photos, other / "shoal-nowhere", Mode.HARDLINK)
    assert not (other / "shoal-nowhere").exists()


def test_too_little_room_is_told_before_anything_is_done(photos, sorted_to, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 70, 30))
    with pytest.raises(UsageError, match=r"need \d KB, .* has \d KB left: make room"):
        run(photos, sorted_to, Mode.COPY)
    assert not sorted_to.parent.exists()
    assert run(photos, sorted_to, Mode.SYMLINK).done == 3


def test_another_plan_or_another_mode_is_refused(photos, sorted_to):
    run(photos, sorted_to, Mode.COPY)
    for mode, steps, told in (
        (Mode.MOVE, None, "job 1a2b, mode copy"),
        (Mode.COPY, make_steps(photos)[:2], "clusters had other names"),
    ):
        with pytest.raises(UsageError, match=rf"{told}.*shoal\.undo"):
            run(photos, sorted_to, mode, steps)
    assert list_files(photos).keys() == set(NAMES)


@pytest.mark.parametrize("mode", Mode)
def test_what_is_done_already_is_foreseen_as_done_and_a_refusal_as_one(photos, sorted_to, mode):
    steps, header = make_steps(photos), Header("organize", "1a2b", str(photos), mode)
    (sorted_to / "00").mkdir(parents=True)
    (sorted_to / TARGETS[0]).write_bytes(b"mine")
    run(photos, sorted_to, mode, steps)
    foreseen = foresee_steps(sorted_to, header, steps)
    assert (foreseen.done, [item.path for item in foreseen.skipped]) == (2, ["a.jpg"])
    with pytest.raises(UsageError, match=r"had other names.*shoal\.undo"):
        foresee_steps(sorted_to, header, steps[:2])


def test_two_at_once_are_refused(photos, sorted_to):
    run(photos, sorted_to, Mode.COPY)
    with open_journal(sorted_to):
        for act in (lambda: run(photos, sorted_to, Mode.COPY), lambda: undo(sorted_to)):
            with pytest.raises(UsageError, match="Another process is at work"):
                act()


def test_a_disk_that_is_full_stops_the_run_which_goes_on_later(photos, sorted_to, monkeypatch):
    def fill(*_: object) -> Iterator[None]:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(transfer, "copy_verified", fill)
        with pytest.raises(ShoalError, match="No space left on device"):
            run(photos, sorted_to, Mode.COPY)
    assert run(photos, sorted_to, Mode.COPY).done == 3


def test_undo_keeps_what_was_changed_and_what_is_the_last_copy(photos, sorted_to):
    run(photos, sorted_to, Mode.COPY)
    (sorted_to / TARGETS[0]).write_bytes(b"edited copy")
    (photos / NAMES[1]).unlink()
    undone = undo(sorted_to)
    assert undone.undone == 1
    assert [(item.path, item.reason) for item in undone.kept] == [
        (TARGETS[0], "changed"),
        (TARGETS[1], "missing"),
    ]
    with pytest.raises(UsageError, match="an undo was begun there"):
        run(photos, sorted_to, Mode.COPY, make_known_steps())
    shutil.copy(sorted_to / TARGETS[1], photos / NAMES[1])
    (sorted_to / TARGETS[0]).unlink()
    assert undo(sorted_to).kept == []
    assert not sorted_to.exists()


def make_known_steps() -> list[Step]:
    """The steps of ``make_steps``, although a source is gone."""
    pairs = zip(NAMES, TARGETS, strict=True)
    return [
        Step(name, target, digest_content(os.fsencode(f"content of {name}")))
        for name, target in pairs
    ]


def test_undo_of_moves_replaces_nothing_and_brings_back_what_was_edited(photos, sorted_to):
    run(photos, sorted_to, Mode.MOVE)
    (photos / NAMES[0]).write_bytes(b"new")
    (sorted_to / TARGETS[1]).write_bytes(b"edited")
    shutil.rmtree(photos / "day")
    undone = undo(sorted_to)
    assert [(item.path, item.reason) for item in undone.kept] == [(TARGETS[0], "exists")]
    assert (photos / NAMES[0]).read_bytes() == b"new"
    assert (photos / NAMES[1]).read_bytes() == b"edited"
    assert (sorted_to / TARGETS[0]).read_bytes() == b"content of a.jpg"
    (photos / NAMES[0]).unlink()
    assert undo(sorted_to).kept == []
    assert list_files(photos).keys() == set(NAMES)


def test_the_last_name_of_a_file_is_not_removed(photos, sorted_to):
    run(photos, sorted_to, Mode.HARDLINK)
    (photos / NAMES[0]).unlink()
    assert [item.path for item in undo(sorted_to).kept] == [TARGETS[0]]
    assert (sorted_to / TARGETS[0]).read_bytes() == b"content of a.jpg"


def test_there_is_nothing_to_undo_in_any_other_folder(photos):
    with pytest.raises(UsageError, match="there is nothing to undo"):
        undo(photos)


def test_an_incomplete_last_line_is_cut_off_and_others_are_told(photos, sorted_to):
    run(photos, sorted_to, Mode.COPY)
    path = sorted_to / FOLDER_NAME / "journal"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines) + lines[-1][:9])
    assert run(photos, sorted_to, Mode.COPY).done == 3
    lines[4] = b"0" + lines[4][1:]
    path.write_bytes(b"".join(lines))
    with pytest.raises(UsageError, match="its journal is damaged"):
        run(photos, sorted_to, Mode.COPY)
    assert undo(sorted_to).damaged == 1
