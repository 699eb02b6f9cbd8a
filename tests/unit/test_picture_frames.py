"""How pictures of any form are shown in squares."""

import pytest

from shoal.shared.images.frames import cut_to_fill, scale_to_fit, shrink_to_fit
from shoal.shared.images.thumbnails import SQUARE, decode_ratio, encode_ratio, read_ratios


@pytest.mark.parametrize(
    ("size", "expected"),
    [((600, 300), (192, 96)), ((10, 30), (10, 30)), ((1, 9000), (1, 192)), ((192, 1), (192, 1))],
)
def test_a_large_picture_is_shrunk_in_its_form_and_a_small_one_stays(size, expected):
    assert shrink_to_fit(size, 192) == expected


def test_the_longer_side_is_scaled_up_too():
    assert scale_to_fit((3, 2), 150) == (150, 100)
    assert scale_to_fit((1, 10_000), 150) == (1, 150)


@pytest.mark.parametrize(
    ("size", "part"),
    [
        ((192, 192), (0, 0, 192, 192)),
        ((192, 128), (32, 0, 160, 128)),
        ((96, 192), (0, 48, 96, 144)),
        ((192, 90), (0, 0, 192, 90)),
        ((1, 192), (0, 0, 1, 192)),
    ],
)
def test_the_middle_fills_a_square_but_long_pictures_are_shown_whole(size, part):
    assert cut_to_fill(size) == part


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (2, 3), (16, 9), (5, 1), (1, 3), (1, 39)])
def test_a_byte_tells_the_ratio_of_an_image(size):
    width, height = size
    assert abs(decode_ratio(encode_ratio(width, height)) * height / width - 1) < 0.015


def test_a_line_of_pixels_has_the_longest_ratio_that_a_byte_can_tell():
    assert (encode_ratio(10_000, 1), encode_ratio(1, 10_000)) == (255, 0)
    assert encode_ratio(7, 7) == SQUARE


@pytest.mark.parametrize("sheet", [b"", b"\xff\xd8", b"\xff\xd8\xff\xfe\0\4ab", bytes(1000)])
def test_tiles_of_a_sheet_that_does_not_tell_their_ratios_are_squares(sheet):
    assert read_ratios(sheet, 3) == bytes([SQUARE] * 3)
