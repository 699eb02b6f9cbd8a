"""Previews: any image as a small JPEG, as the workers see it, and within the same limits."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from twelve_bits import make_twelve_bit_tiff

from shoal.shared.errors import UnreadableImageError
from shoal.shared.images.files import ImageLimits
from shoal.worker.images.loading import load_image
from shoal.worker.images.preview import load_preview

WHITE, GREY = 255, 128
SIDE_PIXELS = 240
ORIENTATION_TAG, QUARTER_TURN = 274, 6
LIMITS = ImageLimits(2**20, 2**21)


def show(file: Path, limits: ImageLimits = LIMITS) -> Image.Image:
    return Image.open(BytesIO(load_preview(file, SIDE_PIXELS, limits)))


def middle(picture: Image.Image) -> int:
    return int(np.asarray(picture.convert("L"))[picture.height // 2, picture.width // 2])


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_a_large_image_becomes_small_and_keeps_its_form(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (2000, 1000), "red").save(tmp_path / name, compression="tiff_lzw")
    assert show(tmp_path / name).size == (SIDE_PIXELS, SIDE_PIXELS // 2)


def test_a_thin_image_keeps_a_pixel_of_width(tmp_path: Path) -> None:
    Image.new("L", (1, 9000)).save(tmp_path / "a.png")
    assert show(tmp_path / "a.png").size == (1, SIDE_PIXELS)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_a_photograph_is_upright(tmp_path: Path, name: str) -> None:
    picture = Image.new("RGB", (100, 50))
    picture.paste("white", (0, 0, 50, 50))
    exif = picture.getexif()
    exif[ORIENTATION_TAG] = QUARTER_TURN
    picture.save(tmp_path / name, exif=exif)
    shown = show(tmp_path / name)
    assert shown.size == (50, 100)
    upper, lower = (shown.convert("L").getpixel((25, y)) for y in (20, 80))
    assert (upper, lower) == (WHITE, 0)


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


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32, np.float64, np.uint32])
def test_deep_values_are_shown_as_the_workers_see_them(tmp_path: Path, kind: type) -> None:
    """The last two are read by tifffile, as Pillow cannot."""
    values = np.linspace(0, 3000, 99 * 99).reshape(99, 99)
    tifffile.imwrite(tmp_path / "a.tif", values.astype(kind))
    shown = np.asarray(show(tmp_path / "a.tif"), int)
    assert np.abs(shown - load_image(tmp_path / "a.tif", 99, LIMITS)).max() <= 3


def test_white_of_twelve_bits_is_shown_as_white(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(make_twelve_bit_tiff(4095))
    assert middle(show(tmp_path / "a.tif")) == WHITE


@pytest.mark.filterwarnings("ignore:Image size")
def test_what_is_outside_the_limits_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.new("L", (100, 100)).save(file)
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes(file.read_bytes()[:60])
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots/link.png").symlink_to(file)
    os.mkfifo(tmp_path / "pipe.png")
    cases = {
        "a.png": ImageLimits(2**20, 9_999),
        "./a.png": ImageLimits(10, 2**20),
        "roots/link.png": ImageLimits(2**20, 2**20, (tmp_path / "roots",)),
        "text.png": LIMITS,
        "cut.png": LIMITS,
        "pipe.png": LIMITS,
        "gone.png": LIMITS,
    }
    for name, limits in cases.items():
        with pytest.raises(UnreadableImageError):
            show(tmp_path / name, limits)
