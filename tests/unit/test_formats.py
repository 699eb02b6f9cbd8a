"""Formats beyond the everyday ones: Pillow's others, and those of packages that may be missing."""

import struct
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from icc import DISPLAY_P3, make_profile
from picture_files import (
    BLUE,
    FORMS,
    GREEN,
    QUARTERS,
    RED,
    YELLOW,
    four_colours,
    make_psd,
    write_picture,
)
from PIL import Image, ImageCms
from raw_file import write_raw

from shoal.producer.submission.folder import read_folder
from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images import kinds
from shoal.shared.images.files import ImageLimits
from shoal.shared.images.kinds import EXTRAS
from shoal.shared.images.values import ValueRanges
from shoal.worker.images.jpeg_xl import CONTAINER, decode_jpeg_xl, read_size
from shoal.worker.images.loading import load_image, measure_image
from shoal.worker.images.preview import load_preview
from shoal.worker.images.profiles import convert_to_srgb

LIMITS = ImageLimits(max_bytes=10_000_000, max_pixels=1_000_000)
SMALL = ImageLimits(max_bytes=10_000_000, max_pixels=63)
TURNED = [BLUE, RED, YELLOW, GREEN]  # by 90 degrees, clockwise: orientation 6
ORIENTATION = 274


def corners(path: Path, limits: ImageLimits = LIMITS) -> list[tuple[int, ...]]:
    """Colours of the four quarters, rounded to 0 or 255."""
    quarters = load_image(path, 8, limits)[1::5, 1::5].reshape(4, 3)
    return [tuple(colour) for colour in (np.round(quarters / 255) * 255).astype(int).tolist()]


def failure_of(path: Path, limits: ImageLimits = LIMITS) -> UnreadableImageError:
    with pytest.raises(UnreadableImageError) as caught:
        load_image(path, 4, limits)
    return caught.value


@pytest.fixture
def without_extras(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """None of the packages that read further formats can be found or imported."""
    for extra in EXTRAS:
        monkeypatch.setitem(sys.modules, extra.module, None)
    monkeypatch.setattr(kinds, "find_spec", lambda _: None)
    kinds.readable_kinds.cache_clear()
    kinds.missing_packages.cache_clear()
    yield
    kinds.readable_kinds.cache_clear()
    kinds.missing_packages.cache_clear()


@pytest.mark.parametrize("form", FORMS)
def test_every_format_is_listed_and_read(tmp_path: Path, form: str) -> None:
    path = write_picture(tmp_path / f"a.{form}", four_colours())
    assert read_folder(tmp_path).paths == [path.name]
    assert corners(path) == QUARTERS
    assert load_preview(path, 16, LIMITS).startswith(b"\xff\xd8")
    assert measure_image(path, 1, LIMITS) == b""


@pytest.mark.parametrize("form", FORMS)
def test_a_part_of_a_file_is_a_failed_image(tmp_path: Path, form: str) -> None:
    content = write_picture(tmp_path / f"a.{form}", four_colours()).read_bytes()
    for size in (9, 40, len(content) // 3, len(content) - len(content) // 4):
        (tmp_path / f"a.{form}").write_bytes(content[:size])
        # What a decoder makes of a part may do; but nothing else may be raised.
        with suppress(UnreadableImageError):
            assert load_image(tmp_path / f"a.{form}", 4, LIMITS).shape == (4, 4, 3)


def test_a_heic_whose_header_is_cut_off_is_damaged(tmp_path: Path) -> None:
    content = write_picture(tmp_path / "a.heic", four_colours()).read_bytes()
    (tmp_path / "a.heic").write_bytes(content[:100])
    assert failure_of(tmp_path / "a.heic").reason is FailureReason.DAMAGED


@pytest.mark.parametrize("form", FORMS)
def test_too_many_pixels_are_refused(tmp_path: Path, form: str) -> None:
    path = write_picture(tmp_path / f"a.{form}", four_colours(32))
    assert failure_of(path, SMALL).reason is FailureReason.TOO_MANY_PIXELS


@pytest.mark.parametrize("form", ["heic", "jxl", "psd", "qoi", "tga", "mpo"])
def test_a_file_that_ends_early_is_truncated_in_one_line(tmp_path: Path, form: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = write_picture(tmp_path / f"a.{form}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    failure = failure_of(path)
    assert failure.reason is FailureReason.TRUNCATED
    assert failure.detail.splitlines() == [failure.detail.strip()]


@pytest.mark.parametrize("form", ["heic", "avif"])
def test_a_header_that_is_cut_off_is_damaged(tmp_path: Path, form: str) -> None:
    path = write_picture(tmp_path / f"a.{form}", four_colours())
    path.write_bytes(path.read_bytes()[:100])
    assert failure_of(path).reason is FailureReason.DAMAGED


@pytest.mark.parametrize("form", ["heic", "jxl"])
def test_the_content_says_what_a_file_is_whatever_its_name(tmp_path: Path, form: str) -> None:
    write_picture(tmp_path / f"a.{form}", four_colours()).rename(tmp_path / "a.jpg")
    assert corners(tmp_path / "a.jpg") == QUARTERS
    four_colours().save(tmp_path / "b.png")
    for kind in ("nef", "tga", "psd"):
        named = (tmp_path / "b.png").rename(tmp_path / f"b.{kind}")
        assert corners(named) == QUARTERS
        named.rename(tmp_path / "b.png")


def test_what_has_no_signature_is_a_picture_only_by_its_name(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.tga", four_colours())
    assert failure_of(path.rename(tmp_path / "a.jpg")).reason is FailureReason.NOT_AN_IMAGE
    for content in (
        b"shopping list: milk, bread",
        bytes(100),
        b"\xff\xd8\xff\xe0 damaged photograph",
    ):
        (tmp_path / "b.tga").write_bytes(content)
        assert failure_of(tmp_path / "b.tga").reason is not FailureReason.UNSUPPORTED
    (tmp_path / "c.nef").write_bytes(b"shopping list: milk, bread\n" * 1000)
    assert failure_of(tmp_path / "c.nef").reason is FailureReason.NOT_AN_IMAGE


@pytest.mark.usefixtures("without_extras")
def test_brands_are_not_searched_through_a_whole_file(tmp_path: Path) -> None:
    head = (2**31).to_bytes(4, "big") + b"ftypmif1"
    for gap, expected in ((4, True), (2000, False)):
        (tmp_path / "a.heic").write_bytes(head + bytes(gap) + b"heic" + bytes(99))
        is_known = failure_of(tmp_path / "a.heic").reason is FailureReason.UNSUPPORTED
        assert is_known is expected


def test_orientation_is_applied_once(tmp_path: Path) -> None:
    picture = four_colours(256)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    heif = pillow_heif.from_pillow(picture)
    heif.info["exif"] = exif.tobytes()
    heif.save(tmp_path / "a.heic", quality=95)
    picture.save(tmp_path / "a.jp2")
    sensor = np.zeros((256, 256), np.uint16)
    write_raw(tmp_path / "a.dng", sensor, np.asarray(picture), orientation=6)
    assert corners(tmp_path / "a.heic") == TURNED
    assert corners(tmp_path / "a.dng") == TURNED
    assert corners(tmp_path / "a.jp2") == QUARTERS


def test_a_raw_file_without_a_large_preview_is_developed(tmp_path: Path) -> None:
    sensor = np.zeros((64, 64), np.uint16)
    sensor[:32] = 60_000
    for name, preview in (("none", None), ("tiny", np.zeros((16, 16, 3), np.uint8))):
        write_raw(tmp_path / f"{name}.dng", sensor, preview)
        shown = load_image(tmp_path / f"{name}.dng", 8, LIMITS)
        assert shown[:3].min() > 200
        assert shown[5:].max() < 50


def test_deep_pictures_are_scaled_to_eight_bits(tmp_path: Path) -> None:
    deep = np.full((8, 8), 0x4000, np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.jp2", irreversible=False)
    (tmp_path / "a.jxl").write_bytes(imagecodecs.jpegxl_encode(deep, lossless=True))
    ranges = ValueRanges(integers=(0, 65535))
    limits = ImageLimits(10**7, 10**6, find_ranges=lambda: ranges)
    for name in ("a.jp2", "a.jxl"):
        assert np.unique(load_image(tmp_path / name, 4, limits)).tolist() == [0x40], name


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    invisible = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    for form in ("jp2", "tga", "ico", "heic", "jxl", "qoi"):
        path = write_picture(tmp_path / f"a.{form}", invisible)
        assert load_image(path, 4, LIMITS).min() >= 250, form


def test_a_format_that_no_decoder_reads_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.psd").write_bytes(make_psd(np.zeros((4, 4, 3), np.uint16)))
    failure = failure_of(tmp_path / "a.psd")
    assert failure.reason is FailureReason.UNSUPPORTED
    assert "save it with 8" in failure.detail


@pytest.mark.usefixtures("without_extras")
@pytest.mark.parametrize(
    ("form", "package"), [("heic", "pillow-heif"), ("jxl", "imagecodecs"), ("nef", "rawpy")]
)
def test_without_its_package_a_format_names_it(tmp_path: Path, form: str, package: str) -> None:
    write_picture(tmp_path / f"a.{form}", four_colours())
    failure = failure_of(tmp_path / f"a.{form}")
    assert failure.reason is FailureReason.UNSUPPORTED
    assert f"pip install {package}" in failure.detail
    four_colours().save(tmp_path / "b.png")
    folder = read_folder(tmp_path)
    assert folder.paths == ["b.png"]
    assert folder.left_out.images == {form: 1}
    [line] = folder.left_out.lines
    assert line == f"1 image that Shoal cannot read: 1 {form} (pip install {package})"


@pytest.mark.parametrize(
    "size", [(8, 8), (256, 256), (300, 200), (200, 300), (1920, 1080), (5, 9000)]
)
def test_the_size_of_a_jpeg_xl_is_read_from_its_header(size: tuple[int, int]) -> None:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    bare = bytes(imagecodecs.jpegxl_encode(pixels, lossless=True))
    boxed = bytes(imagecodecs.jpegxl_encode(pixels, lossless=True, usecontainer=True))
    assert boxed != bare
    assert [read_size(content) for content in (bare, boxed)] == [size, size]
    for content in (b"\x00\x00\x00\x0cJXL \r\n\x87\n", boxed[:20]):
        with pytest.raises(ValueError, match="truncated"):
            read_size(content)


@pytest.mark.parametrize("cut", [2, 3, 4, 20])
def test_the_header_of_a_jpeg_xl_may_be_split(cut: int) -> None:
    whole = bytes(imagecodecs.jpegxl_encode(np.zeros((200, 300, 3), np.uint8), lossless=True))
    content = CONTAINER + make_box(b"ftyp", b"jxl \0\0\0\0jxl ")
    content += make_box(b"jxlp", bytes(4) + whole[:cut])
    content += make_box(b"jxlp", b"\x80\0\0\x01" + whole[cut:])
    assert imagecodecs.jpegxl_decode(content).shape == (200, 300, 3)
    assert read_size(content) == (300, 200)


def make_box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (40, 1, 3), (1, 40, 3), (40, 1), (40, 30)])
def test_a_jpeg_xl_may_be_one_pixel_wide_or_high(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    picture = decode_jpeg_xl(bytes(imagecodecs.jpegxl_encode(values, lossless=True)), 10_000)
    assert picture.size == (shape[1], shape[0])
    np.testing.assert_array_equal(np.asarray(picture), values)


@pytest.mark.parametrize("form", ["jpg", "png", "webp", "tif", "heic"])
def test_wide_colours_become_those_of_srgb(tmp_path: Path, form: str) -> None:
    colour = Image.new("RGB", (16, 16), (200, 90, 60))
    profile = make_profile(DISPLAY_P3)
    source = ImageCms.ImageCmsProfile(tmp_profile(tmp_path, profile))
    srgb = ImageCms.createProfile("sRGB")
    expected = ImageCms.profileToProfile(colour, source, srgb)
    assert expected is not None
    colour.info["icc_profile"] = profile
    if form == "heic":
        pillow_heif.from_pillow(colour).save(tmp_path / "a.heic", quality=95)
    else:
        colour.save(tmp_path / f"a.{form}", icc_profile=profile, quality=100)
    shown = load_image(tmp_path / f"a.{form}", 4, LIMITS).astype(int)
    assert np.abs(shown - np.array(expected.getpixel((0, 0)))).max() <= 4
    assert shown[0, 0, 0] > 208


def tmp_profile(directory: Path, profile: bytes) -> str:
    (directory / "profile.icc").write_bytes(profile)
    return str(directory / "profile.icc")


def test_sixteen_bits_of_wide_colours_become_those_of_srgb(tmp_path: Path) -> None:
    profile = make_profile(DISPLAY_P3)
    pixels = np.full((8, 8, 3), (200, 90, 60), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
    tags = [(34675, "B", len(profile), profile, True)]
    deep = pixels.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extratags=tags)
    plain = load_image(tmp_path / "a.png", 4, LIMITS).astype(int)
    limits = ImageLimits(10**7, 10**6, find_ranges=lambda: ValueRanges(integers=(0, 65535)))
    assert np.abs(load_image(tmp_path / "a.tif", 4, limits) - plain).max() <= 2


@pytest.mark.parametrize(
    "profile",
    [
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        b"damaged",
        make_profile(DISPLAY_P3, b"CMYK"),
        make_profile(DISPLAY_P3)[:200],
    ],
    ids=["srgb", "damaged", "cmyk", "cut"],
)
def test_a_profile_that_says_nothing_of_use_changes_nothing(tmp_path: Path, profile: bytes) -> None:
    Image.new("RGB", (16, 16), (200, 90, 60)).save(tmp_path / "a.png", icc_profile=profile)
    assert np.unique(load_image(tmp_path / "a.png", 4, LIMITS)).tolist() == [60, 90, 200]


def test_a_huge_profile_is_used_and_not_kept_in_memory() -> None:
    pixels = Image.new("RGB", (16, 16), (200, 90, 60))
    small = make_profile(DISPLAY_P3)
    expected = convert_to_srgb(pixels, small).tobytes()
    assert expected != pixels.tobytes()
    tracemalloc.start()
    try:
        for number in range(4):
            size = len(small) + 10_000_000
            huge = struct.pack(">I", size) + small[4:] + bytes([number]) * 10_000_000
            assert convert_to_srgb(pixels, huge).tobytes() == expected
        del huge
        assert tracemalloc.get_traced_memory()[0] < 5_000_000
    finally:
        tracemalloc.stop()
