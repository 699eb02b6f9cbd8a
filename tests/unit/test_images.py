import lzma
import os
import resource
import socket
import subprocess
import sys
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms
from twelve_bits import make_twelve_bit_tiff

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ImageLimits
from shoal.worker.images.loading import load_image

Colour = int | tuple[int, ...]
LIMITS = ImageLimits(max_bytes=10_000_000, max_pixels=1_000_000)
RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
WHITE, PINK, GREY = (255, 255, 255), (255, 127, 127), (90, 90, 90)


def colour_of(path: Path, size: int = 4) -> tuple[int, ...]:
    """The one colour that all pixels have."""
    pixels = load_image(path, size, LIMITS)
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8
    (colour,) = np.unique(pixels.reshape(-1, 3), axis=0)
    return tuple(colour.tolist())


def reason_of(path: Path, limits: ImageLimits = LIMITS) -> FailureReason:
    with pytest.raises(UnreadableImageError) as caught:
        load_image(path, 4, limits)
    assert caught.value.detail
    return caught.value.reason


def four_colours(edge: int = 8) -> Image.Image:
    """Red and green above blue and yellow."""
    small = Image.new("RGB", (2, 2))
    small.putdata([RED, GREEN, BLUE, YELLOW])
    return small.resize((edge, edge), Image.Resampling.NEAREST)


def corners(path: Path) -> list[tuple[int, ...]]:
    """Colours of the four quarters, rounded to 0 or 255."""
    quarters = load_image(path, 8, LIMITS)[1::5, 1::5].reshape(4, 3)
    return [tuple(colour) for colour in (np.round(quarters / 255) * 255).astype(int).tolist()]


@pytest.mark.parametrize("form", ["jpg", "png", "webp", "gif", "tif", "bmp", "avif", "ppm"])
def test_every_format_is_read(tmp_path: Path, form: str) -> None:
    four_colours(64).save(tmp_path / f"a.{form}")
    assert corners(tmp_path / f"a.{form}") == [RED, GREEN, BLUE, YELLOW]


@pytest.mark.parametrize("form", ["gif", "png", "webp", "tif"])
def test_first_frame_of_an_animation_counts(tmp_path: Path, form: str) -> None:
    first, second = (Image.new("RGB", (9, 9), colour) for colour in (RED, BLUE))
    path = tmp_path / f"a.{form}"
    first.save(path, save_all=True, append_images=[second], lossless=True)
    assert colour_of(path) == RED


@pytest.mark.parametrize("size", [1, 31, 32, 64, 300])
def test_any_size_becomes_the_size_asked_for(tmp_path: Path, size: int) -> None:
    Image.new("RGB", (200, 3), GREEN).save(tmp_path / "a.png")
    assert colour_of(tmp_path / "a.png", size) == GREEN


def test_shrinking_averages_and_does_not_skip(tmp_path: Path) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (256, 128))
    Image.fromarray(stripes).save(tmp_path / "a.png")
    assert np.abs(load_image(tmp_path / "a.png", 4, LIMITS).astype(int) - 127).max() <= 2


def test_jpeg_is_decoded_small_and_looks_the_same(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 500).astype(np.uint8)
    Image.fromarray(np.tile(ramp, (375, 1))).convert("RGB").save(tmp_path / "a.jpg", quality=95)
    Image.open(tmp_path / "a.jpg").save(tmp_path / "a.png")
    small, full = (
        load_image(tmp_path / name, 32, LIMITS).astype(int) for name in ("a.jpg", "a.png")
    )
    assert np.abs(small - full).max() <= 3


@pytest.mark.parametrize("form", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, [RED, GREEN, BLUE, YELLOW]),
        (2, [GREEN, RED, YELLOW, BLUE]),  # mirrored
        (3, [YELLOW, BLUE, GREEN, RED]),  # upside down
        (4, [BLUE, YELLOW, RED, GREEN]),  # mirrored and upside down
        (5, [RED, BLUE, GREEN, YELLOW]),  # transposed
        (6, [BLUE, RED, YELLOW, GREEN]),  # to be turned clockwise
        (7, [YELLOW, GREEN, BLUE, RED]),  # transposed the other way
        (8, [GREEN, YELLOW, RED, BLUE]),  # to be turned anticlockwise
    ],
)
def test_exif_orientation_is_applied(
    tmp_path: Path, form: str, orientation: int, upright: list[tuple[int, ...]]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    four_colours(64).save(tmp_path / f"a.{form}", exif=exif)
    assert corners(tmp_path / f"a.{form}") == upright


def test_damaged_exif_does_not_cost_the_photo(tmp_path: Path) -> None:
    four_colours(64).save(tmp_path / "a.jpg", exif=b"Exif\0\0 not an Exif block")
    assert corners(tmp_path / "a.jpg") == [RED, GREEN, BLUE, YELLOW]


@pytest.mark.parametrize(
    ("mode", "colour", "name", "expected"),
    [
        ("RGBA", (255, 0, 0, 128), "a.png", PINK),
        ("RGBA", (255, 0, 0, 0), "a.png", WHITE),
        ("RGBA", (255, 0, 0, 128), "a.tif", PINK),
        ("LA", (0, 128), "a.png", (127, 127, 127)),
        ("L", 90, "a.png", GREY),
        ("L", 90, "a.pgm", GREY),
        ("1", 1, "a.png", WHITE),
        ("1", 0, "a.tif", (0, 0, 0)),
        ("CMYK", (0, 255, 255, 0), "a.tif", RED),
        ("YCbCr", (76, 85, 255), "a.tif", (254, 0, 0)),
        ("I;16", 65535, "a.png", WHITE),
        ("I;16", 257 * 90, "a.png", GREY),
        ("I;16", 257 * 90, "a.tif", GREY),
        ("I;16B", 257 * 90, "a.tif", GREY),
        ("I", 257 * 90, "a.tif", GREY),
        ("I", 257 * 90, "a.pgm", GREY),
    ],
)
def test_every_mode_becomes_rgb_on_white(
    tmp_path: Path, mode: str, colour: Colour, name: str, expected: tuple[int, ...]
) -> None:
    Image.new(mode, (9, 9), colour).save(tmp_path / name)
    assert colour_of(tmp_path / name) == expected


def test_cmyk_jpeg_is_not_inverted(tmp_path: Path) -> None:
    Image.new("CMYK", (64, 64), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(np.subtract(colour_of(tmp_path / "a.jpg"), RED)).max() <= 3


def test_lab_becomes_rgb(tmp_path: Path) -> None:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    to_lab = ImageCms.buildTransform(*profiles, "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.new("RGB", (9, 9), (200, 60, 40)), to_lab)
    assert lab is not None
    lab.save(tmp_path / "a.tif")
    assert np.abs(np.subtract(colour_of(tmp_path / "a.tif"), (200, 60, 40))).max() <= 3


@pytest.mark.parametrize(
    ("mode", "colour", "transparency"),
    [("RGB", RED, RED), ("L", 90, 90), ("1", 1, 1), ("P", 7, 7), ("P", 7, bytes(8))],
)
def test_a_colour_declared_transparent_becomes_white(
    tmp_path: Path, mode: str, colour: Colour, transparency: object
) -> None:
    picture = Image.new(mode, (9, 9), colour)
    if mode == "P":
        picture.putpalette(bytes(range(60)))
    picture.save(tmp_path / "a.png", transparency=transparency)
    assert colour_of(tmp_path / "a.png") == WHITE


def test_palette_colours_are_averaged_and_not_their_numbers(tmp_path: Path) -> None:
    picture = Image.fromarray(np.tile(np.array([0, 2], np.uint8), (8, 4))).convert("P")
    picture.putpalette(bytes([*RED, *GREEN, *BLUE]))
    picture.save(tmp_path / "a.png")
    red, green, blue = load_image(tmp_path / "a.png", 1, LIMITS)[0, 0].tolist()
    assert green == 0
    assert red == pytest.approx(127, abs=2)
    assert blue == pytest.approx(127, abs=2)


def test_colour_of_invisible_pixels_does_not_bleed(tmp_path: Path) -> None:
    pixels = np.zeros((256, 256, 4), np.uint8)
    pixels[:, ::2] = (*RED, 255)
    pixels[:, 1::2] = (*GREEN, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    square = load_image(tmp_path / "a.png", 4, LIMITS).astype(int)
    assert np.abs(square - (255, 127, 127)).max() <= 2


def test_floats_are_scaled_by_their_range(tmp_path: Path) -> None:
    values = np.array([[-1.0, 0.0], [1.0, np.nan]], np.float32).repeat(2, 0).repeat(2, 1)
    tifffile.imwrite(tmp_path / "a.tif", values)
    square = load_image(tmp_path / "a.tif", 4, LIMITS)
    assert square[::2, ::2, 0].tolist() == [[0, 128], [255, 0]]


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        (np.full((9, 9, 3), (65535, 0, 257 * 90), np.uint16), {"photometric": "rgb"}, (255, 0, 90)),
        (
            np.full((3, 9, 9), 257 * 90, np.uint16),
            {"photometric": "rgb", "planarconfig": "separate"},
            GREY,
        ),
        (
            np.full((9, 9, 4), (65535, 0, 0, 257 * 128), np.uint16),
            {"photometric": "rgb", "extrasamples": ["unassalpha"]},
            PINK,
        ),
        (np.full((5, 9, 9), 257 * 90, np.uint16), {"photometric": "minisblack"}, GREY),
        (
            np.full((9, 9, 5), 257 * 90, np.uint16),
            {"photometric": "minisblack", "planarconfig": "contig"},
            GREY,
        ),
        (np.full((9, 9), 65535, np.uint16), {"photometric": "miniswhite"}, (0, 0, 0)),
        (np.full((9, 9, 3), 7, np.int16), {"photometric": "rgb"}, (0, 0, 0)),
        (np.full((9, 9), 90, np.uint8), {"photometric": "minisblack", "bigtiff": True}, GREY),
    ],
)
def test_scientific_tiff_is_scaled_to_eight_bits(
    tmp_path: Path, values: NDArray[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    assert colour_of(tmp_path / "a.tif") == expected


@pytest.mark.parametrize(("value", "level"), [(0, 0), (2048, 128), (4095, 255)])
def test_twelve_bits_are_scaled_by_their_own_range(tmp_path: Path, value: int, level: int) -> None:
    (tmp_path / "a.tif").write_bytes(make_twelve_bit_tiff(value))
    assert colour_of(tmp_path / "a.tif", 1) == (level,) * 3


def test_tiff_of_doubles_is_scaled_and_turned_upright(tmp_path: Path) -> None:
    values = np.array([[0.0, 1.0], [2.0, 4.0]]).repeat(4, 0).repeat(4, 1)
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=[(274, 3, 1, 3, True)])
    assert load_image(tmp_path / "a.tif", 2, LIMITS)[1, 0, 0] in range(60, 90)
    assert load_image(tmp_path / "a.tif", 8, LIMITS)[::7, ::7, 0].tolist() == [[255, 128], [64, 0]]


def test_missing_files_are_missing(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").write_bytes(b"x")
    names = ["nowhere", "dangling", "loop", "file/inside", "long" * 100, "nul\0byte", "\ud800"]
    assert {reason_of(tmp_path / name) for name in names} == {FailureReason.MISSING}


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A file that the process may not read, while it is not root."""
    path, euid = tmp_path / "a.png", os.geteuid()
    path.touch(0)
    if euid == 0:
        os.seteuid(65534)
    yield path
    os.seteuid(euid)


def test_file_without_permission_says_so(forbidden: Path) -> None:
    assert reason_of(forbidden) is FailureReason.NO_PERMISSION


def test_what_is_not_a_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        paths = [tmp_path, tmp_path / "fifo", tmp_path / "socket", Path("/dev/zero")]
        assert {reason_of(path) for path in paths} == {FailureReason.NOT_A_FILE}


@pytest.fixture
def rooted(tmp_path: Path) -> ImageLimits:
    (tmp_path / "root").mkdir()
    (tmp_path / "rooted").mkdir()
    for folder in ("root", "rooted"):
        four_colours().save(tmp_path / folder / "a.png")
    return ImageLimits(10_000_000, 1_000_000, (tmp_path.resolve() / "root",))


def test_files_under_a_root_are_read(tmp_path: Path, rooted: ImageLimits) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "root")
    for path in ("root/a.png", "link/a.png", "rooted/../root/a.png"):
        assert load_image(tmp_path / path, 4, rooted).shape == (4, 4, 3)


def test_no_link_and_no_dots_lead_out_of_the_roots(tmp_path: Path, rooted: ImageLimits) -> None:
    (tmp_path / "root/link.png").symlink_to(tmp_path / "rooted/a.png")
    (tmp_path / "root/folder").symlink_to(tmp_path / "rooted")
    paths = ["rooted/a.png", "root/link.png", "root/folder/a.png", "root/../rooted/a.png"]
    assert {reason_of(tmp_path / path, rooted) for path in paths} == {FailureReason.OUTSIDE_ROOTS}


def test_nothing_is_told_about_what_lies_outside_the_roots(
    tmp_path: Path, rooted: ImageLimits
) -> None:
    for path in (tmp_path / "nowhere", tmp_path, Path("/dev/zero")):
        assert reason_of(path, rooted) is FailureReason.OUTSIDE_ROOTS
    assert reason_of(tmp_path / "root/nowhere", rooted) is FailureReason.MISSING


def test_empty_and_too_large_files_are_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.touch()
    assert reason_of(path) is FailureReason.EMPTY
    four_colours().save(path)
    size = path.stat().st_size
    assert reason_of(path, ImageLimits(size - 1, 64)) is FailureReason.TOO_MANY_BYTES
    assert reason_of(path, ImageLimits(size, 63)) is FailureReason.TOO_MANY_PIXELS
    assert load_image(path, 4, ImageLimits(size, 64)).shape == (4, 4, 3)


def write_bomb(path: Path) -> None:
    """A bilevel PNG of 200 million pixels, or so says its header."""
    header = b"IHDR" + (20_000).to_bytes(4) + (10_000).to_bytes(4) + bytes([1, 0, 0, 0, 0])
    chunk = (13).to_bytes(4) + header + zlib.crc32(header).to_bytes(4)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + bytes(4) + b"IDAT" + bytes(4))


def test_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    write_bomb(tmp_path / "a.png")
    assert reason_of(tmp_path / "a.png") is FailureReason.TOO_MANY_PIXELS


def test_limit_of_pixels_is_ours_and_not_that_of_pillow(tmp_path: Path) -> None:
    write_bomb(tmp_path / "a.png")
    assert reason_of(tmp_path / "a.png", ImageLimits(10**6, 2 * 10**8)) is FailureReason.TRUNCATED


def write_gif_bomb(path: Path) -> None:
    """A frame of 65,535 × 65,535 pixels, to be disposed of, in 43 bytes."""
    frame = b"\0\0\0\0\xff\xff\xff\xff\0"
    disposal = b"!\xf9\x04\x08\0\0\0\0"
    path.write_bytes(b"GIF89a\x10\0\x10\0\0\0\0" + disposal + b"," + frame + b"\x08\x01\0\0;")


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def test_no_picture_is_made_before_its_size_is_checked(tmp_path: Path) -> None:
    write_gif_bomb(tmp_path / "a.gif")
    before = peak_bytes()
    assert reason_of(tmp_path / "a.gif") is FailureReason.TOO_MANY_PIXELS
    assert peak_bytes() < before + 10**8


def test_a_bomb_is_a_failure_where_warnings_are_errors(tmp_path: Path) -> None:
    write_bomb(tmp_path / "a.png")
    with warnings.catch_warnings(action="error"):
        assert reason_of(tmp_path / "a.png", ImageLimits(10**6, 2 * 10**8 - 1)) is (
            FailureReason.TOO_MANY_PIXELS
        )


@pytest.mark.parametrize("compression", ["zlib", "lzma"])
def test_scientific_strip_does_not_hold_more_than_its_pixels(
    tmp_path: Path, compression: str
) -> None:
    strips = {"zlib": zlib.compress(bytes(10**6)), "lzma": lzma.compress(bytes(10**6))}
    strip, shape = strips[compression], (100, 100)
    tifffile.imwrite(
        tmp_path / "a.tif", iter([strip]), shape=shape, dtype="f8", compression=compression
    )
    assert reason_of(tmp_path / "a.tif") is FailureReason.DAMAGED


@pytest.mark.parametrize("compression", ["zlib", "lzma"])
@pytest.mark.parametrize("options", [{}, {"rowsperstrip": 7}, {"tile": (16, 32)}])
def test_scientific_tiff_is_read_compressed_too(
    tmp_path: Path, compression: str, options: dict[str, Any]
) -> None:
    values = np.array([[0.0, 1.0], [2.0, 4.0]]).repeat(20, 0).repeat(20, 1)
    tifffile.imwrite(tmp_path / "a.tif", values, compression=compression, **options)
    square = load_image(tmp_path / "a.tif", 40, LIMITS)
    assert square[::39, ::39, 0].tolist() == [[0, 64], [128, 255]]


def test_scientific_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((100, 100)))
    assert reason_of(tmp_path / "a.tif", ImageLimits(10**6, 9999)) is FailureReason.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    "content", [b"a text\n", b"Python\n", b"<svg/>", b"\0" * 100, b"GIMP", b"x"]
)
def test_what_is_no_image_is_called_so_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    assert reason_of(tmp_path / "a.jpg") is FailureReason.NOT_AN_IMAGE


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))


@pytest.mark.parametrize("form", ["jpg", "png", "gif", "tif", "bmp", "ppm"])
def test_half_a_file_is_truncated(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a.{form}"
    noise().save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert reason_of(path) is FailureReason.TRUNCATED


def test_half_a_scientific_tiff_is_not_filled_up_with_black(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.random.default_rng(0).random((64, 64)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert reason_of(path) in {FailureReason.TRUNCATED, FailureReason.DAMAGED}


@pytest.mark.parametrize("form", ["jpg", "png", "webp", "gif", "tif", "bmp", "avif", "ppm"])
def test_a_file_cut_or_garbled_anywhere_fails_as_an_image(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a.{form}"
    noise().save(path)
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for position in random.integers(1, len(content), 25).tolist():
        garbled = bytearray(content)
        garbled[position : position + 8] = random.bytes(8)
        for damaged in (content[:position], bytes(garbled)):
            path.write_bytes(damaged)
            try:
                load_image(path, 4, LIMITS)
            except UnreadableImageError as error:
                assert error.detail  # noqa: PT017  some damage is invisible


def test_a_tiff_without_a_page_is_explained_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(40))
    with pytest.raises(UnreadableImageError, match="a part of it is missing"):
        load_image(tmp_path / "a.tif", 4, LIMITS)


def test_header_alone_is_a_damaged_image(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    assert reason_of(tmp_path / "a.jpg") is FailureReason.DAMAGED


@pytest.mark.parametrize("name", [b"two\nlines.png", b"caf\xe9.png", b"\xff\xfe", "ü.png".encode()])
def test_any_name_that_a_file_can_have_is_read(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    four_colours().save(path, "PNG")
    assert load_image(path, 4, LIMITS).shape == (4, 4, 3)


def test_outcome_does_not_depend_on_the_files_before(tmp_path: Path) -> None:
    """Pillow imports plugins as it meets files; TGA's claims what is not its own."""
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes([0, 0, 2, *[0] * 9, 1, 0, 1, 0, 24, 0, 1, 2, 3]))
    program = (
        "import sys, pathlib; from shoal.worker.images.loading import *\n"
        "try: load_image(pathlib.Path(sys.argv[1]), 4, ImageLimits(10**6, 10**6))\n"
        "except UnreadableImageError as error: print(error.reason, error.detail)"
    )
    command = [sys.executable, "-c", program, str(path)]
    fresh = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    Image.init()
    with pytest.raises(UnreadableImageError) as caught:
        load_image(path, 4, LIMITS)
    assert fresh == f"{caught.value.reason} {caught.value.detail}\n"
    assert caught.value.reason is FailureReason.NOT_AN_IMAGE
