"""Which duplicates are kept, and moving the others: of photographs in a folder, as they are now."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data

from shoal.producer.duplicates import moving
from shoal.producer.duplicates.decisions import Decision, Kind
from shoal.producer.job import Job
from shoal.producer.organizing import Outcome, SkipReason, run_steps, undo
from shoal.shared.errors import SourceError, UsageError
from shoal.shared.store import Ledger
from shoal.worker.runtime.context import WorkerContext


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs: of one a smaller JPEG and a copy, of the other a mirrored one."""
    folder = tmp_path / "photographs"
    (folder / "sub").mkdir(parents=True)
    cat, coffee = (Image.fromarray(getattr(data, name)()) for name in ("chelsea", "coffee"))
    cat.resize((cat.width // 2, cat.height // 2)).save(folder / "a-small.jpg")
    cat.save(folder / "sub" / "b.png")
    (folder / "c-copy.png").write_bytes((folder / "sub" / "b.png").read_bytes())
    coffee.save(folder / "e.png")
    mirrored = coffee.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored.resize((300, 200)).save(folder / "f-mirrored.png")
    for number, path in enumerate(sorted(folder.rglob("*.*"))):
        os.utime(path, (1_000_000 + number, 1_000_000 + number))
    return folder


@pytest.fixture
def job(
    submit: Callable[..., Ledger],
    run: Callable[..., Ledger],
    folder: Path,
    context: WorkerContext,
    monkeypatch: pytest.MonkeyPatch,
) -> Job:
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.draw_plots", lambda *_: {})
    return Job(run(submit(folder, batch_size=2, clusters=2)), context.sweeper)


def names(job: Job, keep: str = "largest", *, exact: bool = False) -> list[str]:
    source = Path(job.status().request.source)
    return [str(path.relative_to(source)) for path in job.extra_duplicates(keep, exact=exact)]


def decisions(job: Job, keep: str = "largest") -> dict[str, Decision]:
    return {row.path: row.decision for row in job.decide_duplicates(keep)}


def test_the_largest_is_kept_and_each_row_says_what_one_decides_by(job: Job, folder: Path) -> None:
    rows = list(job.decide_duplicates())
    assert [(row.path, row.kind, row.decision) for row in rows] == [
        ("a-small.jpg", Kind.NEAR, Decision.EXTRA),
        ("c-copy.png", Kind.EXACT, Decision.KEEP),
        ("sub/b.png", Kind.EXACT, Decision.EXTRA),
        ("e.png", Kind.TURNED, Decision.KEEP),
        ("f-mirrored.png", Kind.TURNED, Decision.EXTRA),
    ]
    sizes = [(row.width, row.height, row.size_bytes) for row in rows[:2]]
    small = (folder / "a-small.jpg").stat().st_size
    assert sizes == [(225, 150, small), (451, 300, (folder / "c-copy.png").stat().st_size)]


def test_the_first_or_the_newest_is_kept_if_you_say_so(job: Job, folder: Path) -> None:
    assert names(job, "first") == ["c-copy.png", "sub/b.png", "f-mirrored.png"]
    os.utime(folder / "e.png", (3e6, 3e6))
    os.utime(folder / "a-small.jpg", (2e6, 2e6))
    assert names(job, "newest") == ["c-copy.png", "sub/b.png", "f-mirrored.png"]
    os.utime(folder / "f-mirrored.png", (4e6, 4e6))
    assert names(job, "newest")[2] == "e.png"


def test_of_the_same_bytes_alone_no_other_file_is_extra(job: Job) -> None:
    assert names(job, exact=True) == ["sub/b.png"]
    assert [row.path for row in job.decide_duplicates(exact=True)] == ["c-copy.png", "sub/b.png"]


def test_a_file_that_has_changed_or_is_gone_is_neither_kept_nor_extra(
    job: Job, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "sub" / "b.png").write_bytes(b"another picture")
    (folder / "e.png").unlink()
    found = decisions(job)
    assert found["sub/b.png"] is Decision.CHANGED
    assert found["e.png"] is Decision.MISSING
    # What is left of a group is kept, if it is alone.
    assert found["c-copy.png"] is found["f-mirrored.png"] is Decision.KEEP
    assert names(job) == ["a-small.jpg"]
    assert "2 duplicates are not as the job has seen them" in caplog.text


def test_another_path_to_the_file_that_is_kept_is_not_extra(job: Job, folder: Path) -> None:
    (folder / "sub" / "b.png").unlink()
    (folder / "sub" / "b.png").symlink_to(folder / "c-copy.png")
    assert decisions(job)["sub/b.png"] is Decision.SAME_FILE
    assert names(job) == ["a-small.jpg", "f-mirrored.png"]


def test_a_slice_of_the_rows_is_that_of_all(job: Job) -> None:
    rows = list(job.decide_duplicates())
    for start in range(6):
        for count in range(4):
            part = list(job.decide_duplicates(start=start, count=count))
            assert part == rows[start : start + count]


def test_extra_files_are_moved_under_their_own_paths_and_come_back(
    job: Job, folder: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    outcome = job.move_duplicates(tmp_path / "extra")
    assert (outcome.done, outcome.skipped) == (3, [])
    moved = [str(path.relative_to(tmp_path / "extra")) for path in images(tmp_path / "extra")]
    assert moved == ["a-small.jpg", "f-mirrored.png", "sub/b.png"]
    assert job.move_duplicates(tmp_path / "extra").done == 3  # they are there
    assert undo(tmp_path / "extra").undone == 3
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


def images(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.*")) if path.suffix in {".png", ".jpg"})


def test_an_interrupted_move_goes_on_with_the_same_decisions(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shoal.producer.organizing.execution.LINKS_PER_SYNC", 1)

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.move_duplicates(tmp_path / "extra", on_progress=interrupt)
    assert len(list(images(tmp_path / "extra"))) == 1
    assert job.move_duplicates(tmp_path / "extra").done == 3
    assert len(list(images(tmp_path / "extra"))) == 3


def test_two_who_move_at_once_by_other_rules_leave_one_of_each_group(
    job: Job, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "shoal.producer.duplicates.moving.run_steps"

    def let_another_begin(*arguments: Any) -> Outcome:
        monkeypatch.setattr(place, run_steps)
        with pytest.raises(UsageError, match="wait until that has ended"):
            job.move_duplicates(tmp_path / "other", "first")
        return run_steps(*arguments)

    monkeypatch.setattr(place, let_another_begin)
    assert job.move_duplicates(tmp_path / "extra").done == 3
    assert sorted(path.name for path in folder.rglob("*.*")) == ["c-copy.png", "e.png"]
    assert job.move_duplicates(tmp_path / "extra").done == 3


def test_a_folder_that_may_not_be_listed_can_still_be_moved_out_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    with moving._hold(tmp_path):
        pass


def test_a_file_that_was_in_the_other_directory_before_is_not_the_one_that_is_kept(
    job: Job, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "backup").mkdir()
    (folder / "e.png").rename(tmp_path / "backup" / "e.png")
    outcome = job.move_duplicates(tmp_path / "backup")
    assert (outcome.done, [item.path for item in outcome.skipped]) == (2, ["e.png"])
    assert (folder / "f-mirrored.png").exists()


def test_a_changed_file_is_left_where_it_is_and_listed(
    job: Job, folder: Path, tmp_path: Path
) -> None:
    (folder / "f-mirrored.png").write_bytes(b"another picture")
    outcome = job.move_duplicates(tmp_path / "extra")
    assert outcome.done == 2
    (left,) = outcome.skipped
    assert (left.path, left.reason) == ("f-mirrored.png", SkipReason.CHANGED)
    assert (folder / "f-mirrored.png").read_bytes() == b"another picture"


def test_where_nothing_is_extra_no_directory_is_made(
    job: Job, folder: Path, tmp_path: Path
) -> None:
    for path in folder.rglob("*.*"):
        path.write_bytes(b"another picture")
    assert job.move_duplicates(tmp_path / "extra").done == 0
    assert not (tmp_path / "extra").exists()


def test_a_wrong_rule_or_place_changes_nothing_and_says_what_to_do(
    job: Job, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="No rule 'best': choose largest, first, newest"):
        job.decide_duplicates("best")
    with pytest.raises(UsageError, match="choose a directory outside of it"):
        job.move_duplicates(folder / "extra")
    assert len(list(images(folder))) == 5
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="is not on this machine"):
        job.decide_duplicates()
