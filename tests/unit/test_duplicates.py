from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from shoal.worker.findings.copies import no_copies
from shoal.worker.findings.duplicates import Duplicates, group_duplicates
from shoal.worker.findings.near import pair_near_hashes
from shoal.worker.images.hashes import perceptual_hash
from shoal.worker.stages.finishing.duplicates import DUPLICATE_DTYPE, FoundDuplicates
from shoal.worker.stages.finishing.findings import Findings

NAMES = ("astronaut", "chelsea", "coffee", "rocket", "retina")


def shrink(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC), np.uint8)


def make_hashes(n_hashes: int, planted: int) -> NDArray[np.uint64]:
    """Random hashes; each of the last ``planted`` is near one of the first."""
    generator = np.random.default_rng(0)
    hashes = generator.integers(1, 2**64, n_hashes, dtype=np.uint64)
    for place in range(planted):
        bits = generator.choice(64, generator.integers(0, 12), replace=False).astype(np.uint64)
        flipped = np.bitwise_or.reduce(np.uint64(1) << bits, initial=0, dtype=np.uint64)
        hashes[n_hashes - planted + place] = hashes[place] ^ flipped
    return hashes


def split(found: Duplicates) -> list[list[int]]:
    """The rows of each group."""
    n_groups = len(np.unique(found.groups))
    return [found.rows[found.groups == group].tolist() for group in range(n_groups)]


def test_the_same_content_makes_a_group_also_where_there_is_no_hash() -> None:
    contents = np.array([3, 1, 2, 1, 3, 3, 9], np.uint64)
    found = group_duplicates(contents, np.zeros(7, np.uint64))
    assert split(found) == [[0, 4, 5], [1, 3]]
    assert found.partners.tolist() == [4, 0, 0, 3, 1]
    assert not found.distances.any()
    assert split(group_duplicates(contents[:0], contents[:0])) == []


def test_copies_and_pictures_that_look_alike_are_one_group() -> None:
    contents, hashes = np.array([7, 8, 7, 9], np.uint64), np.array([1, 3, 1, 2**40 - 1], np.uint64)
    assert split(group_duplicates(contents, hashes)) == [[0, 1, 2]]


def test_each_image_comes_with_the_one_it_is_nearest_to_however_far_the_first_is() -> None:
    # In steps of 5 bits, then of 8; the last is alone.
    hashes = np.array([2**n - 1 for n in (3, 8, 13, 21, 60)], np.uint64)
    found = group_duplicates(np.arange(5, dtype=np.uint64), hashes)
    assert split(found) == [[0, 1, 2, 3]]
    assert found.partners.tolist() == [1, 0, 1, 2]
    assert found.distances.tolist() == [5, 5, 5, 8]


@pytest.mark.parametrize("max_distance", [0, 3, 6, 8, 11])
def test_all_pairs_are_found_as_by_comparing_all(max_distance: int) -> None:
    hashes = make_hashes(600, 200)
    differ = np.bitwise_count(hashes[:, None] ^ hashes)
    expected = np.argwhere(np.triu(differ <= max_distance, 1))
    np.testing.assert_array_equal(pair_near_hashes(hashes, max_distance), expected)


def test_equal_hashes_are_paired_with_the_first_only() -> None:
    hashes = np.array([0, 7, 2**40, 7, 0, 5, 7, 2**60 - 1], np.uint64)
    assert pair_near_hashes(hashes, 1).tolist() == [[1, 3], [1, 5], [1, 6]]


def test_crowded_hashes_are_one_group_in_few_pairs() -> None:
    crowd = np.arange(1, 4097, dtype=np.uint64)
    assert len(pair_near_hashes(crowd, 6)) < 100 * len(crowd)
    assert len(split(group_duplicates(crowd, crowd))) == 1


def test_no_images_have_no_duplicates_and_a_wrong_distance_is_refused() -> None:
    assert len(pair_near_hashes(np.zeros(3, np.uint64), 6)) == 0
    with pytest.raises(ValueError, match="max_distance 12"):
        pair_near_hashes(np.zeros(3, np.uint64), 12)


def test_variants_of_a_photograph_are_near_and_other_photographs_are_far() -> None:
    photographs = [Image.fromarray(getattr(data, name)()) for name in NAMES]
    halves = [image.resize((image.width // 2, image.height // 2)) for image in photographs]
    darker = [image.point(lambda value: value * 0.8) for image in photographs]
    images = [shrink(image) for image in photographs + halves + darker]
    found = group_duplicates(np.arange(15, dtype=np.uint64), perceptual_hash(np.stack(images)))
    assert split(found) == [[n, n + 5, n + 10] for n in range(5)]


def test_flat_images_have_no_hash_that_could_pair_them() -> None:
    noise = np.random.default_rng(0).integers(0, 3, (4, 32, 32, 3)).astype(np.uint8)
    flat = np.full((1, 32, 32, 3), 255, np.uint8)
    assert not perceptual_hash(np.concatenate([noise, flat])).any()


def test_of_the_largest_groups_the_first_image_of_each_content_is_pictured() -> None:
    groups = np.repeat([0, 1, 2], [2, 5, 3])
    rows = np.zeros(len(groups), DUPLICATE_DTYPE)
    rows["group"], rows["place"] = groups, np.arange(len(groups))
    rows["content"] = [0, 1, 0, 0, 1, 2, 3, 0, 0, 0]
    findings = cast(Findings, SimpleNamespace(loaded_paths=lambda _: [*"abcdefghij"]))
    found = FoundDuplicates(rows, no_copies())
    assert found.list_pictured(findings) == [*"cef", "h", *"ab"]
