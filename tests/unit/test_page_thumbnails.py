"""The page's thumbnails: any image as a small JPEG within the limits, kept while there is room."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from twelve_bits import make_twelve_bit_tiff

from shoal.producer.web import thumbnails
from shoal.producer.web.thumbnails import SIDE_PIXELS, Thumbnails
from shoal.shared.errors import UnreadableImageError
from shoal.shared.images.files import ImageLimits
from shoal.shared.settings import Settings
from shoal.worker.images.loading import load_image

WHITE, GREY = 255, 128
LIMITS = ImageLimits(2**20, 2**20)


def show(file: Path, **settings: Any) -> Image.Image:
    found, _ = Thumbnails(Settings(**settings)).find(file)
    return Image.open(BytesIO(found))


def middle(picture: Image.Image) -> int:
    return int(np.asarray(picture.convert("L"))[picture.height // 2, picture.width // 2])


def test_a_large_image_becomes_small_and_keeps_its_form(tmp_path: Path) -> None:
    Image.new("RGB", (2000, 1000), "red").save(tmp_path / "a.jpg")
    assert show(tmp_path / "a.jpg").size == (SIDE_PIXELS, SIDE_PIXELS // 2)


def test_a_photograph_is_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (100, 50))
    exif = picture.getexif()
    exif[274] = 6
    picture.save(tmp_path / "a.jpg", exif=exif)
    assert show(tmp_path / "a.jpg").size == (50, 100)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("RGBA", (9, 9), (0, 0, 0, 0)), WHITE),
        (Image.new("L", (9, 9), GREY), GREY),
        (Image.fromarray(np.full((9, 9), GREY * 256, np.uint16)), GREY),
        (Image.new("1", (9, 9), 1), WHITE),
        (Image.new("P", (9, 9)), 0),
    ],
    ids=["transparent", "grey", "sixteen bits", "one bit", "palette"],
)
def test_any_mode_is_shown_as_it_looks(tmp_path: Path, picture: Image.Image, expected: int) -> None:
    picture.save(tmp_path / "a.png")
    assert abs(middle(show(tmp_path / "a.png")) - expected) <= 2


@pytest.mark.parametrize(("values", "expected"), [([0, 65_535, 32_768], GREY), ([-9, 9, 0], 127)])
def test_thirty_two_bits_are_shown_as_the_workers_see_them(
    tmp_path: Path, values: list[int], expected: int
) -> None:
    pixels = np.full((33, 33), values[2], np.int32)
    pixels[0, :2] = values[:2]
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    assert abs(middle(show(tmp_path / "a.tif")) - expected) <= 1
    assert abs(load_image(tmp_path / "a.tif", 33, LIMITS)[16, 16, 0] - expected) <= 1


def test_white_of_twelve_bits_is_shown_as_white(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(make_twelve_bit_tiff(4095))
    assert middle(show(tmp_path / "a.tif")) == WHITE


@pytest.mark.filterwarnings("ignore:Image size")
def test_what_is_outside_the_limits_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.new("L", (100, 100)).save(file)
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots/link.png").symlink_to(file)
    os.mkfifo(tmp_path / "pipe.png")
    cases: dict[str, dict[str, Any]] = {
        "a.png": {"max_image_pixels": 9_999},
        "./a.png": {"max_image_bytes": 10},
        "roots/link.png": {"image_roots": (tmp_path / "roots",)},
        "text.png": {},
        "pipe.png": {},
        "gone.png": {},
    }
    for name, settings in cases.items():
        with pytest.raises(UnreadableImageError):
            show(tmp_path / name, **settings)


def test_a_file_that_changes_has_another_thumbnail(tmp_path: Path) -> None:
    kept, file = Thumbnails(Settings()), tmp_path / "a.png"
    Image.new("L", (9, 9), 0).save(file)
    first = kept.find(file)
    assert kept.find(file) == first
    Image.new("L", (8, 8), WHITE).save(file)
    assert kept.find(file)[1] != first[1]


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Thumbnails(Settings())
    monkeypatch.setattr(thumbnails, "KEPT_BYTES", 2000)
    for number in range(20):
        file = tmp_path / f"{number}.png"
        Image.new("L", (9, 9), number).save(file)
        kept.find(file)
    assert 0 < kept.kept_bytes == sum(map(len, kept.kept.values())) <= 2000
