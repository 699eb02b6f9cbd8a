"""`shoal duplicates`: what it shows, lists and moves."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from shoal_command import Shoal
from skimage import data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shoal]:
    shoal = Shoal(tmp_path_factory.mktemp("home"))
    yield shoal
    shoal.kill_all()


@pytest.fixture(scope="module")
def folder(site: Shoal, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is clustered: a photograph, a smaller one, one mirrored, and two others."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("chelsea", "coffee", "rocket"):
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.png")
    with Image.open(folder / "chelsea.png") as cat:
        cat.resize((225, 150)).save(folder / "small\n.jpg")
        cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((300, 200)).save(folder / "z.png")
    site.output("run", folder, "--out", folder.with_name("out"), "--clusters", 2)
    return folder


def test_the_table_says_what_each_image_is_and_which_one_to_keep(site: Shoal, folder: Path) -> None:
    rows = site.json("duplicates", "last", "--keep", "largest")
    assert [row["path"] for row in rows] == ["chelsea.png", "small\n.jpg", "z.png"]
    assert [row["decision"] for row in rows] == ["keep", "extra", "extra"]
    assert [(row["width"], row["height"]) for row in rows] == [(451, 300), (225, 150), (300, 200)]
    assert [row["turn"] for row in rows] == ["", "", "mirrored"]
    header = site.output("duplicates", "last", "--keep", "first").splitlines()[0]
    assert header.endswith("distance,turn,kind,width,height,size_bytes,modified_at,decision")


def test_files_that_are_not_kept_are_listed_for_scripts(site: Shoal, folder: Path) -> None:
    listed = site.output("duplicates", "last", "--keep", "largest", "--list", "-0")
    assert listed == f"{folder}/small\n.jpg\0{folder}/z.png\0"
    refused = site.run("duplicates", "last", "--keep", "largest", "--list")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "use -0" in refused.stderr
    assert site.json("duplicates", "last", "--keep", "largest", "--list") == [
        *(f"{folder}/small\n.jpg", f"{folder}/z.png")
    ]
    assert site.output("duplicates", "last", "--keep", "largest", "--list", "--exact") == ""


def test_files_are_moved_and_taken_back(site: Shoal, folder: Path, tmp_path: Path) -> None:
    extra = tmp_path / "not kept"
    keep = ("duplicates", "last", "--keep", "largest", "--move", extra)
    said = site.run(*keep, "--dry-run", "-0")
    assert said.stderr.startswith(f"2 files (1 near, 1 turned) would be moved to {extra}:")
    assert not extra.exists()
    moved, undo = site.output(*keep).split(". To take it back: shoal ")
    assert moved == f"2 files (1 near, 1 turned) moved to {extra}"
    assert (extra / "z.png").exists()
    assert not (folder / "z.png").exists()
    assert json.loads(site.output(*keep, "--json"))["done"] == 2
    site.output(*shlex.split(undo))
    assert (folder / "z.png").exists()
    assert not extra.exists()


def test_a_file_that_has_changed_is_left_where_it_is(
    site: Shoal, folder: Path, tmp_path: Path
) -> None:
    content = (folder / "z.png").read_bytes()
    (folder / "z.png").write_bytes(b"another picture")
    done = site.run("duplicates", "last", "--keep", "largest", "--move", tmp_path / "extra")
    assert done.returncode == 1
    assert done.stdout.startswith("1 file (1 near) moved")
    assert "z.png: changed: its content is not that which the job has seen" in done.stderr
    assert "1 file left out" in done.stderr
    site.output("undo", tmp_path / "extra")
    (folder / "z.png").write_bytes(content)


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["--list"], "--keep largest, first or newest"),
        (["--exact"], "--keep largest, first or newest"),
        (["--keep", "first", "--list", "--move", "x"], "Choose one of --list and --move"),
        (["--keep", "first", "--dry-run"], "--dry-run goes with --move"),
        (["--keep", "first", "-0"], "-0 goes with --list"),
        (["--keep", "best"], "'largest', 'first', 'newest'"),
    ],
)
def test_options_that_say_nothing_together_are_refused(
    site: Shoal, options: list[str], remedy: str
) -> None:
    done = site.run("duplicates", "last", *options)
    assert done.returncode == 2
    assert remedy in done.stderr
