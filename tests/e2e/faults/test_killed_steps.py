"""Processes that bring files to other places are killed at any operation: no image is lost.

Every file's content is accounted for after each kill. Then the run goes on to its end, or is undone
to where it began; whichever it is may be killed in turn.
"""

import hashlib
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from killed_steps import Forks, Order

from shoal.producer.organizing.journal import FOLDER_NAME
from shoal.producer.organizing.transfer import read_digest

MODES = ("symlink", "hardlink", "copy", "move")
CASES = [*((mode, False) for mode in MODES), ("copy", True), ("move", True)]
N_FILES = 24
KILLS, SLOW_KILLS = 4, 40  # a case; there are six
OTHER_FILE_SYSTEM = Path("/dev/shm")


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as forks:
        yield forks


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A directory on another file system than ``tmp_path``."""
    if not OTHER_FILE_SYSTEM.is_dir():
        pytest.skip("there is no second file system")
    with tempfile.TemporaryDirectory(dir=OTHER_FILE_SYSTEM) as name:
        assert Path(name).stat().st_dev != tmp_path.stat().st_dev
        yield Path(name)


def make_files(folder: Path) -> list[tuple[str, str, int]]:
    """Files, some with the same content and some of the same name; return the steps for them."""
    steps = []
    for number in range(N_FILES):
        name = f"day {number % 3}/{number // 3}.jpg"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"picture {number % 20} ".encode() * 400)
        steps.append((name, f"{number % 4:02d}/{name}", read_digest(path)))
    return steps


def take_stock(folder: Path) -> dict[str, str]:
    """The digest of each file below a folder, links followed, but for Shoal's own."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.parent.name != FOLDER_NAME
    }


def list_folders(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_dir()}


def check_nothing_is_lost(source: Path, directory: Path, before: dict[str, str], order: Order):
    """Each image is at its source or at its destination, whole."""
    here, there = take_stock(source), take_stock(directory)
    for name, target, _ in order.steps:
        assert before[name] in (here.get(name), there.get(target)), name
    if order.mode != "move":
        assert here == before


def count_operations(forks: Forks, order: Order) -> tuple[int, int]:
    """How many operations a run has, and its undoing, if nobody kills them."""
    said = [forks.ask(each) for each in (order, replace(order, is_undo=True))]
    assert said[0]["done"] == N_FILES
    return said[0]["operations"], said[1]["operations"]


def kill_and_recover(
    forks: Forks, order: Order, counts: tuple[int, int], rng: random.Random
) -> None:
    """Kill a run, go on or undo, killed again at random, until all is done or all is undone."""
    whole, undoing = counts
    source, directory = Path(order.source), Path(order.directory)
    before, foreign = take_stock(source), take_stock(directory)
    folders = list_folders(source), list_folders(directory)
    said = forks.ask(replace(order, kill_at=rng.randint(1, whole)))
    assert said["is_killed"]
    check_nothing_is_lost(source, directory, before, order)
    if rng.random() < 0.5:
        forks.ask(replace(order, kill_at=rng.randint(1, whole)))
        check_nothing_is_lost(source, directory, before, order)
        said = forks.ask(order)
        assert (said["done"], said["skipped"]) == (len(order.steps), [])
        there = take_stock(directory)
        assert [there[target] for _, target, _ in order.steps] == [
            before[name] for name, _, _ in order.steps
        ]
        assert len(there) == len(order.steps) + len(foreign)
        assert take_stock(source) == ({} if order.mode == "move" else before)
    if (directory / FOLDER_NAME).exists():
        undo = replace(order, is_undo=True)
        if forks.ask(replace(undo, kill_at=rng.randint(1, undoing)))["is_killed"]:
            check_nothing_is_lost(source, directory, before, order)
        if (directory / FOLDER_NAME).exists():
            assert forks.ask(undo).get("kept", []) == []
    assert (take_stock(source), take_stock(directory)) == (before, foreign)
    assert (list_folders(source), list_folders(directory)) == folders


@pytest.mark.parametrize(("mode", "is_across"), CASES)
@pytest.mark.parametrize(
    "seeds", [range(KILLS), pytest.param(range(KILLS, SLOW_KILLS), marks=pytest.mark.slow)]
)
def test_no_kill_loses_a_file(
    forks: Forks, tmp_path: Path, elsewhere: Path, mode: str, is_across: bool, seeds: range
):
    source = tmp_path / "photos"
    directory = (elsewhere if is_across else tmp_path) / "sorted" / "here"
    (directory / "own").mkdir(parents=True)
    (directory / "own" / "notes.txt").write_text("mine")
    order = Order(str(directory), str(source), mode, make_files(source))
    counts = count_operations(forks, order)
    for seed in seeds:
        rng = random.Random(f"{mode} {is_across} {seed}")
        kill_and_recover(forks, order, counts, rng)


def test_an_undo_that_is_killed_anywhere_goes_on_until_nothing_is_left(
    forks: Forks, tmp_path: Path, elsewhere: Path
):
    source, directory = tmp_path / "photos", elsewhere / "new" / "sorted"
    order = Order(str(directory), str(source), "move", make_files(source)[:2])
    before, undo = take_stock(source), replace(order, is_undo=True)
    forks.ask(order)
    for kill_at in range(1, forks.ask(undo)["operations"] + 1):
        forks.ask(order)
        assert forks.ask(replace(undo, kill_at=kill_at))["is_killed"]
        forks.ask(undo)
        assert (list(elsewhere.rglob("*")), take_stock(source)) == ([], before), kill_at
