"""`shoal organize`, `undo` and `name` as a user types them."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from polling import wait_until
from shoal_command import FinishedRun, Shoal

INTERRUPTED = 130


@pytest.fixture(scope="module")
def last(embedded_run: FinishedRun) -> str:
    return embedded_run.job_id  # other tests submit jobs there, too


def list_names(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_a_user_looks_organizes_and_takes_back(
    embedded_run: FinishedRun, last: str, tmp_path: Path
) -> None:
    shoal, before = embedded_run.shoal, list_names(embedded_run.source)
    assert shoal.output("name", last, 0, "at home") == "0  at home\n"
    assert "120 images would be in" in shoal.output("organize", last, tmp_path / "a", "--dry-run")
    assert not (tmp_path / "a").exists()
    printed = shoal.output("organize", last, tmp_path / "a")
    assert f"120 images are in {tmp_path / 'a'} (symlink)\n" in printed
    assert "00-at home" in printed
    assert printed.endswith(f"To take it back: shoal undo {tmp_path / 'a'}\n")
    assert len(list((tmp_path / "a" / "00-at home").rglob("*.jpg"))) > 0

    said = shoal.json("organize", last, tmp_path / "b", "--mode", "copy", "--flat")
    assert (said["done"], said["mode"], said["skipped"]) == (120, "copy", [])
    assert sum(folder["images"] for folder in said["folders"]) == 120
    assert shoal.output("name", last, 0, 1, "at home") == "0  at home\n1  at home\n"
    assert shoal.output("name", last, 0, 1, "") == ""
    without_server = Shoal(tmp_path / "home", SHOAL_REDIS_URL="redis://localhost:1")
    assert without_server.output("undo", tmp_path / "a") == "120 links removed\n"
    assert without_server.json("undo", tmp_path / "b")["undone"] == 120
    assert {path.name for path in tmp_path.iterdir()} <= {"home"}
    assert list_names(embedded_run.source) == before


def test_wrong_use_names_the_remedy_in_commands(
    embedded_run: FinishedRun, last: str, tmp_path: Path
) -> None:
    shoal, source = embedded_run.shoal, embedded_run.source
    shoal.output("organize", last, tmp_path / "it's here")
    for arguments, remedy in (
        (("organize", last, source / "sorted"), "choose a directory outside of it"),
        (("organize", last, tmp_path / "it's here", "--mode", "copy"), "`shoal undo "),
        (("organize", last, tmp_path / "x", "--mode", "link"), "symlink"),
        (("organize", "nosuchjob", tmp_path / "x"), "No job nosuchjob"),
        (("undo", tmp_path), "there is nothing to undo"),
        (("name", last, 99, "x"), "There is no cluster 99"),
        (("name", last, 1), f"`shoal name {last} 1 NAME`"),
        (("name", last, 1, "at", "home"), "'at' is no number of a cluster"),
    ):
        done = shoal.run(*arguments)
        assert (done.returncode, remedy in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "x").exists()
    shoal.output("undo", tmp_path / "it's here")


def test_images_that_are_left_out_are_listed_and_end_with_1(
    embedded_run: FinishedRun, last: str, tmp_path: Path
) -> None:
    shoal = embedded_run.shoal
    shoal.output("organize", last, tmp_path / "a", "--mode", "copy")
    changed, *_ = (path for path in sorted((tmp_path / "a").rglob("*.jpg")))
    changed.write_bytes(b"edited")
    undone = shoal.run("undo", tmp_path / "a")
    assert undone.returncode == 1
    assert f"{changed.relative_to(tmp_path / 'a')}: changed" in undone.stdout
    organized = shoal.run("organize", last, tmp_path / "a", "--mode", "copy")
    assert (organized.returncode, "an undo was begun" in organized.stderr) == (2, True)
    shutil.move(changed, tmp_path / "mine.jpg")
    assert shoal.run("undo", tmp_path / "a").returncode == 0
    assert not (tmp_path / "a").exists()


def test_an_interrupt_says_how_to_go_on_and_nothing_is_lost(
    embedded_run: FinishedRun, last: str, tmp_path: Path
) -> None:
    shoal, target = embedded_run.shoal, tmp_path / "a"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with shoal.start("organize", last, target, "--mode", "copy", **pipes) as process:
        wait_until(lambda: process.poll() is not None or any(target.glob("*/**/*.jpg")))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    if process.returncode == INTERRUPTED:  # it may have been faster
        assert f"the same command goes on, and `shoal undo {target}` takes back" in errors
    said = json.loads(shoal.output("organize", last, target, "--mode", "copy", "--json"))
    assert (said["done"], said["present"], said["skipped"]) == (120, 0, [])
    assert not list(target.rglob("*.partial"))
    shoal.output("undo", target)
