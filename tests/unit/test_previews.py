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
from shoal.shared.images.frames import shrink_to_fit
from shoal.shared.images.thumbnails import encode_ratio
from shoal.worker.images.loading import load_image, load_square
from shoal.worker.images.preview import is_transparent, load_picture, load_preview
from shoal.worker.stages.finishing.plotting import encode_tiles

WHITE, CHEQUERS, GREY = 255, [241, 219], 128
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
        (Image.new("L", (9, 9), GREY), GREY),
        (Image.fromarray(np.full((9, 9), GREY * 256, np.uint16)), GREY),
        (Image.new("1", (9, 9), 1), WHITE),
        (Image.new("P", (9, 9)), 0),
    ],
    ids=["grey", "sixteen bits", "one bit", "palette"],
)
def test_any_mode_is_shown_as_it_looks(tmp_path: Path, picture: Image.Image, expected: int) -> None:
    picture.save(tmp_path / "a.png")
    assert abs(middle(show(tmp_path / "a.png")) - expected) <= 2


def make_logo(mode: str) -> Image.Image:
    """A white bar on transparency."""
    logo = Image.new("RGBA", (96, 48), (255, 255, 255, 0))
    logo.paste((255, 255, 255, 255), (32, 0, 64, 48))
    return logo.quantize(4, Image.Quantize.FASTOCTREE) if mode == "P" else logo.convert(mode)


@pytest.mark.parametrize(
    "name", ["RGBA.png", "LA.png", "P.png", "RGBA.gif", "RGBA.webp", "RGBA.tif"]
)
def test_a_white_logo_is_seen_on_chequers_and_features_see_white(tmp_path: Path, name: str) -> None:
    make_logo(name.partition(".")[0]).save(tmp_path / name)
    shown = np.asarray(show(tmp_path / name).convert("L"), int)
    assert np.abs(shown[:, 34:62] - WHITE).max() <= 3
    assert np.abs(shown[:8, :32].reshape(8, 4, 8).mean(axis=(0, 2)) - 2 * CHEQUERS).max() < 3
    assert np.abs(shown[8:16, :8] - CHEQUERS[1]).max() <= 3
    assert load_image(tmp_path / name, 8, LIMITS).min() == WHITE
    picture = load_picture(tmp_path / name, SIDE_PIXELS, LIMITS)
    (stored,) = encode_tiles({name: picture}).values()
    assert is_transparent(picture)
    assert is_transparent(Image.open(BytesIO(stored)))


def test_small_transparent_pictures_have_small_chequers(tmp_path: Path) -> None:
    for side in (1, 16, 24):
        Image.new("RGBA", (side, side)).save(tmp_path / "a.png")
        assert load_picture(tmp_path / "a.png", SIDE_PIXELS, LIMITS).size == (side, side)
    assert len(np.unique(np.asarray(load_picture(tmp_path / "a.png", SIDE_PIXELS, LIMITS)))) == 2


FORMS: dict[str, tuple[str, tuple[int, int]]] = {
    "one.png": ("RGB", (1, 1)),
    "line.png": ("L", (10_000, 1)),
    "line.jpg": ("RGB", (1, 10_000)),
    "print.jpg": ("CMYK", (500, 100)),
    "deep.png": ("I;16", (300, 100)),
    "palette.png": ("P", (100, 300)),
    "portrait.webp": ("RGB", (200, 600)),
}


@pytest.mark.parametrize("name", FORMS)
def test_no_picture_and_no_tile_is_squeezed(tmp_path: Path, name: str) -> None:
    mode, (width, height) = FORMS[name]
    Image.new(mode, (width, height)).save(tmp_path / name)
    shown, ratio = show(tmp_path / name), load_square(tmp_path / name, 8, LIMITS).ratio
    assert shown.size == shrink_to_fit((width, height), SIDE_PIXELS)
    assert ratio == encode_ratio(width, height)


@pytest.mark.parametrize("form", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_has_the_form_in_which_it_is_shown(
    tmp_path: Path, form: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    Image.new("RGB", (90, 30)).save(tmp_path / f"a.{form}", exif=exif)
    width, height = (30, 90) if orientation >= 5 else (90, 30)
    assert show(tmp_path / f"a.{form}").size == (width, height)
    ratio = load_square(tmp_path / f"a.{form}", 8, LIMITS).ratio
    assert ratio == encode_ratio(width, height)


def test_the_first_picture_of_an_animation_is_shown_in_its_form(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (60, 20), colour) for colour in ("white", "black")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    shown = show(tmp_path / "a.gif")
    assert (shown.size, middle(shown)) == ((60, 20), WHITE)


def test_a_tiny_picture_is_stored_nearly_as_it_is() -> None:
    digit = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8))
    (stored,) = encode_tiles({"a.png": digit.convert("RGB")}).values()
    assert np.abs(np.asarray(Image.open(BytesIO(stored)), int)[..., 0] - digit).mean() < 8


def test_a_preview_keeps_no_comment_of_its_file(tmp_path: Path) -> None:
    for name, mode in (("a.jpg", "RGB"), ("a.png", "RGBA")):
        Image.new(mode, (9, 9), (1, 2, 3)).save(tmp_path / name, comment=b"secret")
        picture = load_picture(tmp_path / name, SIDE_PIXELS, LIMITS)
        assert (picture.info, is_transparent(picture)) == ({}, False)
        assert b"secret" not in load_preview(tmp_path / name, SIDE_PIXELS, LIMITS)


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
