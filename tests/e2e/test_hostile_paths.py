"""Names and files that a folder may have, and that break programs: from the walk to the CSV."""

import csv
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from names import name_of
from PIL import Image
from shoal_command import RUN_SECONDS, Shoal
from worker_process import Worker

N_GOOD = 12
NAME_BYTES = 255
PATH_BYTES = 4095  # without the NUL at its end
STRANGE = [b"two\nlines", b"caf\xe9", b"\xff\xfe", b'quoted",', b" ", b"-rf", b"=1+1"]


def fill(path: bytes, n_bytes: int) -> bytes:
    """Return a path of an image beneath ``path`` that has ``n_bytes``."""
    while n_bytes - len(path) > NAME_BYTES + 1:
        path += b"/" + b"d" * min(200, n_bytes - len(path) - 6)
    return path + b"/" + b"f" * (n_bytes - len(path) - 5) + b".png"


def write_png(path: bytes, number: int) -> None:
    directory, name = os.path.split(path)
    os.makedirs(directory, exist_ok=True)  # noqa: PTH103  bytes
    # By its directory: a whole path may be too long for the system.
    held = os.open(directory, os.O_RDONLY)
    file = os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=held)
    with os.fdopen(file, "wb") as stream:
        Image.new("RGB", (9, 9), (number * 10, 0, 0)).save(stream, "PNG")
    os.close(held)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "photos"
    root = os.fsencode(folder)
    names = [*STRANGE, b"n" * (NAME_BYTES - 4)]
    good = [root + b"/" + name + b".png" for name in names]
    for number, path in enumerate([*good, fill(root, PATH_BYTES), fill(root, PATH_BYTES + 1)]):
        write_png(path, number)
    for name in STRANGE:
        Path(os.fsdecode(root + b"/bad-" + name + b".png")).write_text("text")
    os.mkfifo(folder / "fifo.png")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    (folder / "folder.jpg").mkdir()
    # In a short path of its own: that of a socket has a hundred bytes at most.
    held = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{held}/socket.jpg")
        os.close(held)
        yield folder


def read_paths(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return [row | {"path": name_of(row["path"])} for row in csv.DictReader(stream)]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names and sockets are of Linux")
def test_any_name_goes_through_a_job_and_no_special_file_holds_it_up(
    embedded: Shoal, folder: Path
) -> None:
    out = folder.parent / "out"
    # Unread: what it prints has the names as they are, in no encoding.
    with embedded.start("run", folder, "--out", out, "--clusters", 2) as run:
        assert run.wait(RUN_SECONDS) == 0
    loaded = [row["path"] for row in read_paths(out / "labels.csv")]
    names = {os.fsdecode(name + b".png") for name in (*STRANGE, b"n" * (NAME_BYTES - 4))}
    assert names < set(loaded)
    (deep,) = set(loaded) - names
    assert len(os.fsencode(folder / deep)) == PATH_BYTES
    failures = {row["path"]: row["reason"] for row in read_paths(out / "failures.csv")}
    for name in STRANGE:
        assert failures.pop(os.fsdecode(b"bad-" + name + b".png")) == "not-an-image"
    special = {failures.pop(name) for name in ("fifo.png", "zero.jpg", "socket.jpg")}
    assert special == {"not-a-file"}
    (too_deep,) = failures
    assert len(os.fsencode(folder / too_deep)) == PATH_BYTES + 1
    assert failures[too_deep] == "missing"


@pytest.fixture
def latin_1(tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose locale is not UTF-8."""
    locale = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", f"{tmp_path}/en_US.ISO-8859-1"]
    if not shutil.which("localedef") or subprocess.run(locale, check=False).returncode:
        pytest.skip("no such locale can be made here")
    return {"LOCPATH": str(tmp_path), "LC_ALL": "en_US.ISO-8859-1"}


def make_album(tmp_path: Path) -> tuple[Path, set[str]]:
    """Make a folder of six images and a text; return it with the names of the images."""
    album = tmp_path / "Été 日本"
    names = {f"é{number}.png" for number in range(5)} | {os.fsdecode(b"\xe9.png")}
    for number, name in enumerate(sorted(names)):
        write_png(os.fsencode(album / name), number)
    (album / "ü.png").write_text("text")
    return album, names


def test_results_name_the_files_whatever_the_locale(
    embedded: Shoal, tmp_path: Path, latin_1: dict[str, str]
) -> None:
    album, names = make_album(tmp_path)
    embedded.environment |= latin_1
    with embedded.start("run", album, "--out", tmp_path / "out", "--clusters", 2) as run:
        assert run.wait(RUN_SECONDS) == 0
    assert {row["path"] for row in read_paths(tmp_path / "out" / "labels.csv")} == names
    assert [row["path"] for row in read_paths(tmp_path / "out" / "failures.csv")] == ["ü.png"]
    source = json.loads((tmp_path / "out" / "job.json").read_text())["status"]["request"]["source"]
    assert source == str(album)


def test_a_worker_finds_what_a_command_in_another_locale_submits(
    shoal: Shoal, workers: list[Worker], tmp_path: Path, latin_1: dict[str, str]
) -> None:
    album, names = make_album(tmp_path)
    there = shoal.elsewhere(tmp_path / "home")
    there.environment |= latin_1
    job = there.submit(album, "--clusters", 2)
    assert shoal.json("wait", job)["images"] == {"total": 7, "loaded": 6, "failed": 1, "known": 0}
    labels = json.loads(there.output("result", job, "--format", "json"))
    assert {name_of(row["path"]) for row in labels} == names


def test_no_link_leads_out_of_the_roots_of_a_worker(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    for number in range(N_GOOD):
        write_png(os.fsencode(inside / f"{number:02}.png"), number)
    write_png(os.fsencode(tmp_path / "outside" / "secret.png"), 1)
    (inside / "link.png").symlink_to(tmp_path / "outside" / "secret.png")
    (inside / "album").symlink_to(tmp_path / "outside")
    (inside / "other").symlink_to("/etc/hostname")
    shoal = Shoal(tmp_path / "home", SHOAL_IMAGE_ROOTS=inside)
    try:
        out = tmp_path / "out"
        assert shoal.run("run", inside, "--out", out, "--clusters", 2).returncode == 0
    finally:
        shoal.kill_all()
    reasons = {row["path"]: row["reason"] for row in read_paths(out / "failures.csv")}
    assert set(reasons.values()) == {"outside-roots"}
    assert len(read_paths(out / "labels.csv")) == N_GOOD
