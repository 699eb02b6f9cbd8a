"""Pictures that are mirrored or turned, found by the hash of the one that is not."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from benchmarks.duplicates import TRANSPOSES
from shoal.shared.findings import TURNS, Turn
from shoal.worker.findings.duplicates import group_copies, group_duplicates
from shoal.worker.findings.turned import MAX_DISTANCE, measure_turns, pair_turned_hashes
from shoal.worker.findings.turns import INVERSES, turn_hashes
from shoal.worker.images.hashes import perceptual_hash

NAMES = ("astronaut", "chelsea", "coffee", "rocket", "retina")
QUARTERS = {"90": 1, "180": 2, "270": 3}


def show_turned(pixels: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    """The picture as the words of the turn say."""
    mirrored = pixels[:, ::-1] if "mirrored" in turn else pixels
    return np.rot90(mirrored, -QUARTERS.get(turn.split(" ")[-1], 0))


@pytest.fixture(scope="module")
def squares() -> list[NDArray[np.uint8]]:
    photographs = (Image.fromarray(getattr(data, name)()) for name in NAMES)
    return [np.asarray(photograph.resize((32, 32)), np.uint8) for photograph in photographs]


def hash_all(squares: list[NDArray[np.uint8]]) -> NDArray[np.uint64]:
    return perceptual_hash(np.stack(squares))


@pytest.mark.parametrize("turn", TURNS)
def test_the_hash_of_a_turned_picture_follows_from_that_of_the_picture(
    squares: list[NDArray[np.uint8]], turn: Turn
) -> None:
    turned = hash_all([show_turned(square, turn) for square in squares])
    # A frequency of nearly 0 may have either sign.
    assert np.bitwise_count(turned ^ turn_hashes(hash_all(squares), turn)).max() <= 1


@pytest.mark.parametrize(("turn", "transpose"), list(zip(TURNS, TRANSPOSES, strict=True)))
def test_the_benchmark_turns_pictures_as_their_names_say(
    squares: list[NDArray[np.uint8]], turn: Turn, transpose: Image.Transpose | None
) -> None:
    picture = Image.fromarray(squares[0])
    turned = picture if transpose is None else picture.transpose(transpose)
    np.testing.assert_array_equal(np.asarray(turned), show_turned(squares[0], turn))


def test_what_undoes_a_turn_gives_the_hash_again() -> None:
    hashes = np.random.default_rng(0).integers(1, 2**63, 100, dtype=np.uint64)
    for turn, inverse in zip(TURNS, INVERSES, strict=True):
        back = turn_hashes(turn_hashes(hashes, turn), TURNS[inverse])
        np.testing.assert_array_equal(back, hashes)


def test_every_turn_of_a_picture_is_found_and_told(squares: list[NDArray[np.uint8]]) -> None:
    images = list(squares)
    images += [show_turned(squares[0], turn) for turn in TURNS[1:]]
    found = group_duplicates(np.arange(len(images), dtype=np.uint64), hash_all(images))
    assert found.rows.tolist() == [0, *range(5, 12)]
    assert not found.groups.any()
    # Each one's nearest is the first of those at the same distance, which is mostly row 0.
    told = dict(zip(found.rows.tolist(), found.turns.tolist(), strict=True))
    near_first = [row for row, like in zip(found.rows, found.partners, strict=True) if like == 0]
    assert len(near_first) >= 5
    assert all(TURNS[told[row]] == TURNS[row - 4] for row in near_first)
    assert found.distances.max() <= 1


def test_all_turned_pairs_are_found_as_by_comparing_all() -> None:
    generator = np.random.default_rng(1)
    hashes = generator.integers(1, 2**63, 400, dtype=np.uint64)
    for place in range(100):
        bits = generator.choice(63, generator.integers(0, 6), replace=False).astype(np.uint64)
        flipped = np.bitwise_or.reduce(np.uint64(1) << bits, initial=0, dtype=np.uint64)
        turn = TURNS[1 + place % 7]
        hashes[300 + place] = turn_hashes(hashes[place : place + 1] ^ flipped, turn)[0]
    first, second = np.triu_indices(len(hashes), 1)
    pairs = np.stack([first, second], axis=1)
    turns, distances = measure_turns(hashes, pairs)
    expected = pairs[distances <= MAX_DISTANCE]
    assert 50 < len(expected) < 100
    np.testing.assert_array_equal(pair_turned_hashes(hashes, MAX_DISTANCE), expected)
    planted = (first + 300 == second) & (distances <= MAX_DISTANCE)
    # The first lies compared with the second as what undoes the turn says.
    assert (turns[planted] == INVERSES[1 + first[planted] % 7]).all()


def test_an_image_that_lies_the_same_way_comes_before_one_that_is_turned() -> None:
    first = np.uint64(0x1234_5678_9ABC_DEF)
    mirrored = turn_hashes(np.array([first]), Turn.MIRRORED)[0]
    hashes = np.array([first, mirrored, first ^ np.uint64(0b1_1111)], np.uint64)
    found = group_duplicates(np.arange(3, dtype=np.uint64), hashes)
    assert found.partners.tolist() == [2, 0, 0]
    assert found.distances.tolist() == [5, 0, 5]
    assert [TURNS[turn] for turn in found.turns] == [Turn.NONE, Turn.MIRRORED, Turn.NONE]


def test_a_mirrored_picture_is_no_copy_that_stands_for_another(
    squares: list[NDArray[np.uint8]],
) -> None:
    hashes = hash_all([squares[0], squares[0][:, ::-1], squares[1]])
    contents = np.arange(3, dtype=np.uint64)
    assert len(group_duplicates(contents, hashes).rows) == 2
    assert len(group_duplicates(contents, hashes).copies.rows) == 0
    assert len(group_copies(contents, hashes).rows) == 0


def test_a_picture_that_is_its_own_mirror_image_is_no_duplicate_of_itself() -> None:
    half = np.random.default_rng(0).integers(0, 256, (32, 16, 3)).astype(np.uint8)
    hashes = perceptual_hash(np.concatenate([half, half[:, ::-1]], axis=1)[None])
    assert len(pair_turned_hashes(hashes, MAX_DISTANCE)) == 0


def test_crowded_hashes_are_compared_with_few_others() -> None:
    crowd = np.arange(1, 4097, dtype=np.uint64)
    assert len(pair_turned_hashes(crowd, MAX_DISTANCE)) < 7 * 64 * len(crowd)


def test_no_hashes_have_no_pairs_and_a_wrong_distance_is_refused() -> None:
    assert pair_turned_hashes(np.zeros(3, np.uint64), 3).shape == (0, 2)
    with pytest.raises(ValueError, match="max_distance 4"):
        pair_turned_hashes(np.zeros(3, np.uint64), 4)
