"""What every extractor promises, and the names that choose them."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from shoal.shared.errors import UsageError
from shoal.shared.jobs import DEFAULTS
from shoal.shared.recipe.features import (
    EXTRACTORS,
    choose_image_size,
    count_features,
    feature_bytes,
    is_count_exact,
    list_features,
    split_features,
)
from shoal.worker.extractors import extract_blocks, find_extractor, find_extractors
from shoal.worker.extractors.extractor import CHUNK_PIXELS
from shoal.worker.extractors.model_input import resize_images

PURE = ["pixels", "color", "hog", "lbp"]


def cut_images(n_samples: int, image_size: int) -> NDArray[np.uint8]:
    """Return random crops of a photograph."""
    rng, photo = np.random.default_rng(0), data.astronaut()
    corners = rng.integers(0, 512 - image_size, (n_samples, 2))
    return np.stack([photo[y : y + image_size, x : x + image_size] for y, x in corners])


def extract(name: str, images: NDArray[np.uint8]) -> NDArray[np.generic]:
    return find_extractor(name).extract(images)


@pytest.mark.parametrize("name", PURE)
@pytest.mark.parametrize("image_size", [16, 75])
def test_features_do_not_depend_on_the_batch_to_the_last_bit(name: str, image_size: int) -> None:
    images = cut_images(CHUNK_PIXELS // 75**2 + 5, image_size)  # two chunks of the larger ones
    together = extract(name, images)
    for length in (1, 40):
        parts = [extract(name, images[i : i + length]) for i in range(0, len(images), length)]
        assert np.array_equal(np.concatenate(parts), together)
    assert np.array_equal(extract(name, images[::-1]), together[::-1])


@pytest.mark.parametrize("name", PURE)
@pytest.mark.parametrize("image_size", [1, 2, 5, 31, 200])
def test_images_of_any_size_have_finite_features(name: str, image_size: int) -> None:
    black_and_white = np.zeros((2, image_size, image_size, 3), np.uint8)
    black_and_white[1] = 255
    features = extract(name, black_and_white)
    assert features.dtype in (np.uint8, np.float32)
    assert len(features) == 2
    assert features.size
    assert np.isfinite(features).all()


def test_extractors_are_looked_up_once_and_an_unknown_name_each_time() -> None:
    assert find_extractors("hog+color") is find_extractors("hog+color")
    for _ in range(2):
        with pytest.raises(UsageError, match="'hogs'"):
            find_extractors("hogs+color")


@pytest.mark.parametrize(("name", "n_features"), [("color", 51), ("hog", 1764), ("lbp", 160)])
def test_features_are_as_many_for_large_images_as_for_small(name: str, n_features: int) -> None:
    for image_size in (32, 64, 128):
        assert extract(name, cut_images(1, image_size)).shape == (1, n_features)


@pytest.mark.parametrize("name", PURE)
def test_a_batch_without_images_has_features_of_the_right_width(name: str) -> None:
    some, _ = extract_blocks(find_extractors(name), cut_images(1, 32))
    none, widths = extract_blocks(find_extractors(name), np.empty((0, 32, 32, 3), np.uint8))
    assert none.shape == (0, some.shape[1])
    assert none.dtype == some.dtype
    assert widths == (some.shape[1],)


def test_blocks_stand_side_by_side_in_the_order_asked_for() -> None:
    images = cut_images(3, 32)
    features, widths = extract_blocks(find_extractors("lbp+pixels"), images)
    assert widths == (160, 3072)
    assert features.dtype == np.float32
    assert np.array_equal(features[:, :160], extract("lbp", images))
    assert np.array_equal(features[:, 160:], extract("pixels", images))


def test_among_others_an_extractor_sees_images_no_larger_than_suits_it() -> None:
    images = cut_images(2, 128)
    features, widths = extract_blocks(find_extractors("hog+pixels"), images)
    assert widths == (1764, 128 * 128 * 3)
    assert np.array_equal(features[:, :1764], extract("hog", resize_images(images, 64)))
    alone, _ = extract_blocks(find_extractors("hog"), images)
    assert np.array_equal(alone, extract("hog", images))


def test_one_block_of_bytes_stays_bytes() -> None:
    features, widths = extract_blocks(find_extractors("pixels"), cut_images(2, 4))
    assert features.dtype == np.uint8
    assert widths == (48,)


def test_pixels_are_flattened_row_by_row() -> None:
    images = np.arange(2 * 2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 2, 3)
    assert extract("pixels", images).tolist() == [list(range(12)), list(range(12, 24))]


def test_every_feature_has_a_size_that_its_extractor_agrees_with() -> None:
    assert set(EXTRACTORS) <= set(list_features())
    for name, facts in EXTRACTORS.items():
        extractor = find_extractor(name)
        assert (extractor.name, extractor.image_size) == (name, facts.image_size)


@pytest.mark.parametrize("name", EXTRACTORS)
def test_every_extractor_gives_the_features_that_are_counted_before_it_is_loaded(name: str) -> None:
    size = EXTRACTORS[name].image_size
    features = extract(name, cut_images(1, size))
    assert features.shape == (1, count_features(name, size))
    assert features.itemsize == feature_bytes(name)


def test_blocks_have_the_features_that_are_counted_for_the_combination() -> None:
    names = "pixels+color+lbp"
    features, _ = extract_blocks(find_extractors(names), cut_images(1, 32))
    assert features.shape == (1, count_features(names, 32))
    assert features.itemsize == feature_bytes(names) == 4


def test_only_a_count_that_nothing_can_change_is_exact() -> None:
    assert is_count_exact("pixels")
    assert not any(is_count_exact(name) for name in ("embedding", "hog", "pixels+hog"))


def test_the_default_size_is_that_of_the_default_features() -> None:
    assert choose_image_size(DEFAULTS.features) == DEFAULTS.image_size


def test_a_combination_has_the_size_of_its_largest_extractor() -> None:
    assert choose_image_size("color") == 32
    assert choose_image_size("hog + color") == 64


@pytest.mark.parametrize("name", ["", "hogs", "hog+", "hog+colour"])
def test_an_unknown_name_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match="there are pixels, color, hog, lbp, embedding"):
        find_extractors(name)


def test_a_name_that_stands_there_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="'hog' twice"):
        split_features("hog+color+hog")
