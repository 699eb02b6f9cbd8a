"""Labelled sets: real images in one folder a class."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from benchmarks import labelled_sets
from benchmarks.labelled_sets import grey, make_set


def test_a_set_that_comes_with_the_dependencies_has_a_folder_a_class(tmp_path) -> None:
    folder = make_set("lfw", tmp_path)
    sizes = Counter(path.parent.name for path in folder.rglob("*.png"))
    assert sizes == {"face": 100, "no-face": 100}
    with Image.open(next(folder.rglob("*.png"))) as picture:
        assert picture.size == (25, 25)


def test_brightness_is_scaled_to_bytes() -> None:
    assert np.asarray(grey(np.array([[0.0, 0.5, 1.0]]))).tolist() == [[0, 128, 255]]


def test_a_set_that_could_not_be_made_leaves_nothing_that_looks_whole(
    tmp_path, monkeypatch
) -> None:
    def break_off():
        yield "zero", grey(np.zeros((2, 2)))
        raise OSError("no network")

    monkeypatch.setitem(labelled_sets.SETS, "digits", break_off)
    with pytest.raises(OSError, match="no network"):
        make_set("digits", tmp_path)
    assert not (tmp_path / "digits").exists()
