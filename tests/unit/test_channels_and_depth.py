"""What is read of images with many channels and of images with more than eight bits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from deep_pictures import write_deep_pixmap, write_deep_png
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.images.files import ImageLimits
from shoal.shared.images.values import Range, ValueRanges
from shoal.worker.images import loading
from shoal.worker.images.loading import load_image, measure_image
from shoal.worker.images.samples import MEASURED

Array = NDArray[Any]
Write = Callable[[Path, Array], None]

BANDS = (200, 100, 50, 0, 10, 20)
COLOURS = [200, 100, 50]
WHITE = [255, 255, 255]
EXTRA_SAMPLES, TARGET_PRINTER = (338).to_bytes(2, "little"), (337).to_bytes(2, "little")


def load(path: Path, integers: Range | None = None, floats: Range | None = None) -> Array:
    ranges = ValueRanges(integers, floats)
    return load_image(path, 8, ImageLimits(10**7, 10**6, find_ranges=lambda: ranges))


def write_bands(path: Path, n_bands: int, dtype: str, **options: Any) -> None:
    """A picture whose pixels all have the same ``n_bands`` values, in a type of numbers."""
    values = np.full((9, 9, n_bands), BANDS[:n_bands])
    scaled: Array = {"u1": values, "u2": values * 256 + 7, "f4": values / 255}[dtype].astype(dtype)
    if options["planarconfig"] == "separate":
        scaled = np.moveaxis(scaled, -1, 0).copy()
    tifffile.imwrite(path, scaled, **options)


def load_bands(path: Path) -> list[int]:
    (colour,) = np.unique(load(path, floats=(0, 1)).reshape(-1, 3), axis=0)
    return list(colour.tolist())


@pytest.fixture(params=["contig", "separate"])
def planes(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
class TestBands:
    """Of TIFFs, in all forms that tell the same."""

    @pytest.mark.parametrize(
        ("n_bands", "photometric"),
        [
            (3, "minisblack"),
            (4, "minisblack"),
            (5, "minisblack"),
            (6, "minisblack"),
            (4, "rgb"),
            (5, "rgb"),
            (6, "rgb"),
        ],
    )
    def test_bands_of_no_known_kind_are_not_opacity(
        self,
        tmp_path: Path,
        planes: str,
        dtype: str,
        compression: str,
        n_bands: int,
        photometric: str,
    ) -> None:
        unknown = [0] * (n_bands - (3 if photometric == "rgb" else 1))
        write_bands(
            tmp_path / "a.tif",
            n_bands,
            dtype,
            photometric=photometric,
            planarconfig=planes,
            extrasamples=unknown,
            compression=compression,
        )
        assert load_bands(tmp_path / "a.tif") == COLOURS

    def test_of_two_bands_the_first_is_shown(
        self, tmp_path: Path, planes: str, dtype: str, compression: str
    ) -> None:
        write_bands(
            tmp_path / "a.tif",
            2,
            dtype,
            photometric="minisblack",
            planarconfig=planes,
            extrasamples=[0],
            compression=compression,
        )
        assert load_bands(tmp_path / "a.tif") == [200, 200, 200]

    @pytest.mark.parametrize(
        ("n_bands", "photometric", "kinds", "expected"),
        [
            (2, "minisblack", [2], [233, 233, 233]),  # 255 - (255 - 200) * 100 / 255
            (4, "rgb", [1], WHITE),
            (4, "rgb", [2], WHITE),
            (5, "rgb", [2, 0], WHITE),
            (5, "rgb", [0, 2], [253, 249, 247]),  # 255 - (255 - 200) * 10 / 255 and so on
            (5, "separated", [2], [247, 251, 253]),
        ],
    )
    def test_a_band_that_is_said_to_be_opacity_is(
        self,
        tmp_path: Path,
        planes: str,
        dtype: str,
        compression: str,
        n_bands: int,
        photometric: str,
        kinds: list[int],
        expected: list[int],
    ) -> None:
        write_bands(
            tmp_path / "a.tif",
            n_bands,
            dtype,
            photometric=photometric,
            planarconfig=planes,
            extrasamples=kinds,
            compression=compression,
        )
        assert load_bands(tmp_path / "a.tif") == expected

    @pytest.mark.parametrize("n_bands", [4, 5, 6])
    def test_further_inks_are_not_opacity(
        self, tmp_path: Path, planes: str, dtype: str, compression: str, n_bands: int
    ) -> None:
        write_bands(
            tmp_path / "a.tif",
            n_bands,
            dtype,
            photometric="separated",
            planarconfig=planes,
            extrasamples=[0] * (n_bands - 4),
            compression=compression,
        )
        assert load_bands(tmp_path / "a.tif") == [255 - 200, 255 - 100, 255 - 50]


def test_a_fourth_band_without_a_word_about_it_is_not_opacity(tmp_path: Path) -> None:
    write_bands(tmp_path / "a.tif", 4, "u1", photometric="rgb", planarconfig="contig")
    content = (tmp_path / "a.tif").read_bytes()
    assert content.count(EXTRA_SAMPLES) == 1
    (tmp_path / "b.tif").write_bytes(content.replace(EXTRA_SAMPLES, TARGET_PRINTER))
    assert load_bands(tmp_path / "a.tif") == WHITE
    assert load_bands(tmp_path / "b.tif") == COLOURS


def test_of_many_pages_the_first_is_shown_with_its_bands(tmp_path: Path) -> None:
    pages = np.full((2, 9, 9, 4), BANDS[:4], np.uint8)
    pages[1] = 9
    options: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "a.tif", pages, extrasamples=[0, 0, 0], **options)
    assert load_bands(tmp_path / "a.tif") == COLOURS


def test_a_palette_of_a_scientific_tiff_gives_the_colours(tmp_path: Path) -> None:
    colormap = np.zeros((3, 65_536), np.uint16)
    colormap[:, 300] = np.array(COLOURS) * 257
    values = np.full((9, 9), 300, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="palette", colormap=colormap)
    assert load_bands(tmp_path / "a.tif") == COLOURS


def write_tiff(path: Path, values: Array, **options: Any) -> None:
    photometric = "rgb" if values.shape[-1] > 2 else "minisblack"
    if options.get("planarconfig") == "separate":
        values = np.moveaxis(values, -1, 0).copy()
    tifffile.imwrite(path, values.squeeze(), photometric=photometric, **options)


WRITERS: dict[str, tuple[str, int, Write]] = {
    "grey PNG": ("png", 1, write_deep_png),
    "grey PNG with opacity": ("png", 2, write_deep_png),
    "RGB PNG": ("png", 3, write_deep_png),
    "RGBA PNG": ("png", 4, write_deep_png),
    "PPM": ("ppm", 3, write_deep_pixmap),
    "grey TIFF": ("tif", 1, write_tiff),
    "big-endian RGB TIFF": ("tif", 3, lambda *to: write_tiff(*to, byteorder=">")),
    "RGB TIFF": ("tif", 3, write_tiff),
    "compressed RGB TIFF": ("tif", 3, lambda *to: write_tiff(*to, compression="zlib")),
    "RGB TIFF in planes": ("tif", 3, lambda *to: write_tiff(*to, planarconfig="separate")),
    "signed TIFF": ("tif", 1, lambda path, values: write_tiff(path, values.astype(np.int16))),
    "TIFF of 32 bits": ("tif", 1, lambda path, values: write_tiff(path, values.astype(np.uint32))),
}


@pytest.fixture(params=WRITERS)
def kind(request: pytest.FixtureRequest) -> tuple[str, int, Write]:
    return WRITERS[request.param]


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_values_in_sixteen_bits_are_those_of_the_range(
    tmp_path: Path, kind: tuple[str, int, Write], bits: int
) -> None:
    suffix, n_channels, write = kind
    eight = np.random.default_rng(0).integers(0, 256, (8, 8, n_channels), np.uint8)
    opacity = eight[..., -1:] if n_channels in (2, 4) else eight[..., :0]
    if opacity.size:
        opacity[:] = 255
    deep = eight.astype(np.uint16) << (bits - 8)
    if opacity.size:
        deep[..., -1] = 65_535
    write(tmp_path / f"a.{suffix}", deep)
    Image.fromarray(eight.squeeze()).save(tmp_path / "b.png")
    found = load(tmp_path / f"a.{suffix}", integers=(0, 2**bits - 1))
    np.testing.assert_array_equal(found, load(tmp_path / "b.png"))


@pytest.mark.parametrize("name", ["big-endian RGB TIFF", "RGB TIFF", "compressed RGB TIFF"])
def test_without_tifffile_all_bits_of_a_tiff_are_read_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("this compression needs imagecodecs")

    monkeypatch.setattr(loading, "read_scientific_tiff", refuse)
    values = np.random.default_rng(0).integers(0, 4096, (8, 8, 3), np.uint16)
    WRITERS[name][2](tmp_path / "a.tif", values)
    np.testing.assert_array_equal(load(tmp_path / "a.tif", integers=(0, 4095)), values >> 4)


def test_values_beyond_the_range_are_black_and_white(tmp_path: Path) -> None:
    values = np.array([-5000, -1024, 0, 4095, 30_000]).astype(np.int16).repeat(8).reshape(5, 8)
    tifffile.imwrite(tmp_path / "a.tif", values)
    deep = load_image(tmp_path / "a.tif", 5, limits_of((-1024, 4095)))
    assert deep[:, 0, 0].tolist() == [0, 0, 51, 255, 255]  # 255 * 1024 / 5119


def limits_of(integers: Range) -> ImageLimits:
    return ImageLimits(10**7, 10**6, find_ranges=lambda: ValueRanges(integers))


def test_a_series_of_floats_keeps_its_relative_brightness(tmp_path: Path) -> None:
    for name, value in (("a.tif", 0.25), ("b.tif", 0.5)):
        values = np.full((9, 9), value, np.float32)
        values[0, 0] = np.nan
        tifffile.imwrite(tmp_path / name, values)
    dark, light = (load(tmp_path / name, floats=(0, 1))[4, 4, 0] for name in ("a.tif", "b.tif"))
    assert (dark, light) == (64, 128)


def test_a_colour_of_sixteen_bits_that_is_declared_transparent_becomes_white(
    tmp_path: Path,
) -> None:
    grey, colour = np.full((9, 9, 1), 300), np.full((9, 9, 3), (300, 20, 7))
    write_deep_png(tmp_path / "a.png", grey, (300).to_bytes(2))
    write_deep_png(tmp_path / "b.png", colour, b"".join(n.to_bytes(2) for n in (300, 20, 7)))
    for name in ("a.png", "b.png"):
        assert (load(tmp_path / name, integers=(0, 1023)) == 255).all()


def measure(path: Path) -> tuple[bool, float, float] | None:
    measured = measure_image(path, 1, ImageLimits(10**7, 10**6))
    return MEASURED.unpack(measured) if measured else None


def test_the_range_of_an_image_is_measured_without_its_hot_pixels(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(500, 4001, (100, 100), np.uint16)
    values[::40, ::40] = 65_535
    tifffile.imwrite(tmp_path / "a.tif", values)
    measured = measure(tmp_path / "a.tif")
    assert measured
    assert measured[1:] == pytest.approx((503, 4000), abs=5)


def test_each_value_of_a_small_image_counts(tmp_path: Path, kind: tuple[str, int, Write]) -> None:
    suffix, n_channels, write = kind
    values = np.full((8, 8, n_channels), 30, np.uint16)
    values[0, 0] = 220
    write(tmp_path / f"a.{suffix}", values)
    assert measure(tmp_path / f"a.{suffix}") == (False, 30, 220)


def test_an_image_of_eight_bits_or_without_numbers_is_not_measured(tmp_path: Path) -> None:
    four_bands = np.zeros((9, 9, 4), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", four_bands, photometric="minisblack")
    tifffile.imwrite(tmp_path / "b.tif", np.full((9, 9), np.nan, np.float32))
    Image.new("RGB", (9, 9)).save(tmp_path / "c.jpg")
    assert [measure(tmp_path / name) for name in ("a.tif", "b.tif", "c.jpg")] == [None] * 3
