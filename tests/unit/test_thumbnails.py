"""A batch's images on one sheet of small tiles."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from shoal.shared.images.thumbnails import (
    MOST_POINTS,
    SHEETS_BYTES,
    choose_qualities,
    encode_ratio,
    estimate_sheet_bytes,
    read_ratios,
    sample_positions,
)
from shoal.worker.images.thumbnails import (
    NO_TILES,
    cut_sheet,
    lay_out,
    make_sheet,
    make_tiles,
    shrink,
)

NOISE = make_tiles(np.random.default_rng(0).integers(0, 256, (1024, 32, 32, 3), np.uint8))


def plain(*greys, size=32):
    """Return images of one grey each."""
    return np.stack([np.full((size, size, 3), grey, np.uint8) for grey in greys])


@pytest.mark.parametrize("size", [1, 8, 32, 48, 64, 100, 224])
def test_a_tile_is_its_image_in_32_pixels_and_nothing_of_its_neighbours(size):
    tiles = shrink(plain(0, 255, 10, size=size))
    assert tiles.shape == (3, 32, 32, 3)
    # Where 32 does not divide the size, a line of pixels at the border may be shared.
    assert tiles[:, 1:-1].mean(axis=(1, 2, 3)).tolist() == [0, 255, 10]


def test_the_upper_left_of_an_image_is_the_upper_left_of_its_tile():
    images = plain(0, 0, size=64)
    images[1, :32, :32] = 255
    tiles = shrink(images)
    assert (tiles[1, :16, :16] == 255).all()
    assert tiles.sum() == 255 * 16 * 16 * 3


@pytest.mark.parametrize("n_tiles", [1, 31, 32, 33, 70])
def test_tiles_are_on_the_sheet_in_their_order_with_32_in_a_row(n_tiles):
    tiles = plain(*range(0, 3 * n_tiles, 3))
    sheet = make_sheet(make_tiles(tiles), n_tiles)
    width, height = Image.open(BytesIO(sheet)).size
    assert (width, height) == (min(n_tiles, 32) * 32, -(-n_tiles // 32) * 32)
    cut = cut_sheet(sheet, n_tiles)["pixels"]
    assert np.abs(cut.mean(axis=(1, 2, 3)) - tiles.mean(axis=(1, 2, 3))).max() < 1
    assert (lay_out(tiles)[:32, :32] == tiles[0]).all()


def test_no_tiles_make_no_sheet():
    nothing = make_tiles(np.empty((0, 8, 8, 3), np.uint8))
    assert nothing.tolist() == NO_TILES.tolist() == []
    assert make_sheet(nothing, 10) == b""


@pytest.mark.parametrize("n_tiles", [1, 33, 1024])
def test_a_sheet_tells_the_form_of_each_image(n_tiles):
    ratios = np.resize(np.array([encode_ratio(3, 2), encode_ratio(1, 5)], np.uint8), n_tiles)
    sheet = make_sheet(make_tiles(NOISE["pixels"][:n_tiles], ratios), n_tiles)
    assert read_ratios(sheet, n_tiles) == ratios.tobytes()
    assert cut_sheet(sheet, n_tiles)["ratio"].tolist() == ratios.tolist()


@pytest.mark.parametrize("total", [100, 20_000, MOST_POINTS, 10**9])
def test_all_sheets_of_a_job_keep_within_their_bytes_even_of_noise(total):
    shown = min(total, MOST_POINTS)
    tiles = NOISE[:shown]
    assert len(make_sheet(tiles, total)) / len(tiles) * shown <= SHEETS_BYTES
    assert estimate_sheet_bytes(total) <= 1.1 * SHEETS_BYTES


def test_the_more_images_the_fewer_bytes_a_tile():
    assert [choose_qualities(n)[0] for n in (1, 20_000, 30_000, 40_000, 10**6)] == [
        *(75, 75, 50, 30, 20)
    ]


def test_a_job_that_is_not_huge_shows_every_image():
    assert sample_positions(3, 7, MOST_POINTS) == list(range(7))


@pytest.mark.parametrize("batch_size", [1, 7, 1024])
@pytest.mark.parametrize("total", [MOST_POINTS + 1, 123_457])
def test_a_huge_job_shows_an_even_share_of_its_images(batch_size, total):
    sizes = [batch_size] * (total // batch_size)
    shown = [
        batch * batch_size + position
        for batch, size in enumerate(sizes)
        for position in sample_positions(batch, size, total)
    ]
    assert MOST_POINTS - 1024 < len(shown) <= MOST_POINTS
    steps = np.diff(shown)
    assert steps.max() - steps.min() <= 1
