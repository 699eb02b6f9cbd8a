"""What each extractor sees, against scikit-image and by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from skimage.color import rgb2lab
from skimage.feature import hog, local_binary_pattern

from shoal.worker.extractors.color import N_BINS, extract_color
from shoal.worker.extractors.grey import make_grey
from shoal.worker.extractors.hog import extract_hog
from shoal.worker.extractors.lbp import classify_patterns, extract_lbp

SIZES = [16, 32, 64, 75]


def cut_grey(image_size: int, n_samples: int = 12) -> NDArray[np.uint8]:
    """Return crops of a photograph without colour, of shape (n_samples, size, size)."""
    photo = data.camera()
    starts = range(0, 30 * n_samples, 30)
    return np.stack([photo[y : y + image_size, y : y + image_size] for y in starts])


def make_rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., np.newaxis], 3, axis=-1)


def paint(*colors: tuple[int, int, int], image_size: int = 8) -> NDArray[np.uint8]:
    """Return one image of each colour."""
    images = np.empty((len(colors), image_size, image_size, 3), np.uint8)
    images[:] = np.array(colors)[:, np.newaxis, np.newaxis]
    return images


@pytest.mark.parametrize("image_size", SIZES)
def test_hog_is_that_of_scikit_image(image_size: int) -> None:
    grey = cut_grey(image_size)
    cell = (round(image_size / 8),) * 2
    expected = [hog(image, 9, cell, (2, 2), "L2-Hys", transform_sqrt=False) for image in grey]
    np.testing.assert_allclose(extract_hog(make_rgb(grey)), expected, rtol=1e-5, atol=1e-7)


def test_hog_of_a_level_image_is_zero() -> None:
    assert not extract_hog(paint((200, 10, 30))).any()


def test_hog_does_not_change_with_contrast() -> None:
    grey = cut_grey(64) // 2
    strong, weak = extract_hog(make_rgb(grey * 2)), extract_hog(make_rgb(grey))
    np.testing.assert_allclose(strong, weak, atol=1e-5)


@pytest.mark.parametrize("image_size", SIZES)
def test_patterns_are_those_of_scikit_image(image_size: int) -> None:
    grey = cut_grey(image_size)
    expected = np.stack([local_binary_pattern(image, 8, 1, "uniform") for image in grey])
    # It rounds where neighbours are equal, about one pixel in 50,000.
    assert (classify_patterns(grey.astype(np.int32)) == expected).mean() > 0.9995


def test_patterns_of_noise_are_exactly_those_of_scikit_image() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 40, 40)).astype(np.uint8)
    expected = np.stack([local_binary_pattern(image, 8, 1, "uniform") for image in noise])
    assert np.array_equal(classify_patterns(noise.astype(np.int32)), expected)


def test_patterns_of_a_bright_dot_are_those_worked_out_by_hand() -> None:
    dot = np.full((1, 5, 5), 100, np.int32)
    dot[0, 2, 2] = 200
    patterns = classify_patterns(dot)[0]
    # The dot is brighter than all its neighbours; the others have none that is darker.
    assert patterns[2, 2] == 0
    assert patterns[1:4, 1:4].ravel().tolist() == [8, 8, 8, 8, 0, 8, 8, 8, 8]
    # Outside is black: a corner has three neighbours inside, an edge five.
    assert (patterns[0, 0], patterns[0, 2]) == (3, 5)


def test_lbp_is_the_root_of_the_shares_of_patterns_in_each_cell() -> None:
    level = extract_lbp(paint((90, 90, 90), image_size=16)).reshape(4, 4, 10)
    assert np.flatnonzero(level[1, 1]).tolist() == [8]
    assert level[0, 0, [3, 5, 8]] == pytest.approx(np.sqrt([1 / 16, 6 / 16, 9 / 16]))


def test_one_color_falls_into_one_bin_of_each_channel() -> None:
    features = extract_color(paint((200, 30, 60))).reshape(3, N_BINS)
    lightness, redness, yellowness = rgb2lab(np.array([200, 30, 60]) / 255)
    expected = [lightness / 100, (redness + 60) / 120, (yellowness + 60) / 120]
    assert features.max(axis=1).tolist() == [1, 1, 1]
    assert features.argmax(axis=1).tolist() == [min(int(e * N_BINS), N_BINS - 1) for e in expected]


def test_greys_have_no_color_whatever_their_lightness() -> None:
    greys = extract_color(make_rgb(np.arange(256, dtype=np.uint8).reshape(1, 16, 16)))
    lightness, redness, yellowness = greys.reshape(3, N_BINS)
    assert lightness.all()
    assert redness[N_BINS // 2] == yellowness[N_BINS // 2] == 1


def test_color_does_not_depend_on_where_it_is() -> None:
    images = np.stack([data.astronaut()[:64, :64], data.astronaut()[63::-1, 63::-1]])
    upright, turned = extract_color(images)
    assert np.array_equal(upright, turned)
    assert (upright**2).reshape(3, N_BINS).sum(axis=1) == pytest.approx([1, 1, 1])


def test_grey_is_that_of_pillow() -> None:
    photo = data.astronaut()[np.newaxis]
    assert np.array_equal(make_grey(photo)[0], np.asarray(Image.fromarray(photo[0]).convert("L")))
