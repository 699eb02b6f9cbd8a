"""Labelled pictures of packages, without the packages."""

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.labelled_sets import UNEQUAL_SIZES, unequal
from benchmarks.packaged_pictures import LARGEST, in_folders, small, some_of_each


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("food/fruit/apple.png", "food/bread.png", "music/horn.png", "music/notes.txt"):
        path = tmp_path / "share" / "png" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_pictures_have_the_name_of_their_folder(root: Path) -> None:
    found = [(label, path.name) for label, path in in_folders(root, "png")]
    assert found == [("food", "bread.png"), ("food", "apple.png"), ("music", "horn.png")]


def test_only_the_folders_that_were_chosen_are_read(root: Path) -> None:
    found = [(label, path.name) for label, path in in_folders(root, "png", ["food/fruit"])]
    assert found == [("food-fruit", "apple.png")]


def test_some_of_each_class_are_drawn_the_same_every_time() -> None:
    labelled = [("many", n) for n in range(100)] + [("few", n) for n in range(3)]
    drawn = list(some_of_each(labelled, 40))
    assert Counter(label for label, _ in drawn) == {"many": 40}
    assert drawn == list(some_of_each(labelled, 40))


def test_large_pictures_are_made_small_and_stay_transparent() -> None:
    drawing = small(Image.new("RGBA", (2 * LARGEST, LARGEST)))
    assert (drawing.mode, drawing.size) == ("RGBA", (LARGEST, LARGEST // 2))
    assert small(Image.new("L", (8, 8))).mode == "RGB"


def test_an_unequal_set_has_fewer_of_each_further_class() -> None:
    picture = Image.new("L", (1, 1))
    labelled = [(label, picture) for _ in range(300) for label in "abcde"]
    sizes = Counter(label for label, _ in unequal(labelled, ("d", "c", "b", "a")))
    assert sizes == dict(zip("dcba", UNEQUAL_SIZES, strict=True))
