"""The map: neighbours stay neighbours, the same each time, whatever is placed together."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from shoal.shared.jobs import JobRequest
from shoal.shared.recipe.fit import count_landmarks
from shoal.worker.model.map import Map, fit_map

Float64 = NDArray[np.float64]


def make_groups(n_rows: int, n_groups: int = 12, n_components: int = 20) -> Float64:
    """Make rows of principal components in groups, with variances that fall."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(n_groups, n_components)) * 2
    rows = centres[np.arange(n_rows) % n_groups] + generator.normal(size=(n_rows, n_components))
    left, values, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    return np.asarray(left * values)


def lay_out(coordinates: Float64, n_landmarks: int = 300, random_state: int = 0) -> Map:
    return fit_map(coordinates, n_landmarks, random_state)


def test_neighbours_stay_neighbours_better_than_on_two_components() -> None:
    rows = make_groups(300)
    placed = lay_out(rows).place(rows)
    assert trustworthiness(rows, placed, n_neighbors=10) > 0.95
    assert trustworthiness(rows, rows[:, :2], n_neighbors=10) < 0.9


def test_images_that_were_not_laid_out_stand_among_their_neighbours() -> None:
    rows = make_groups(600)
    images = lay_out(rows)
    assert len(images.landmarks) == 300
    assert trustworthiness(rows, images.place(rows), n_neighbors=10) > 0.93


def test_a_map_is_the_same_each_time() -> None:
    rows = make_groups(400)
    first, second = lay_out(rows), lay_out(rows.copy())
    np.testing.assert_array_equal(first.positions, second.positions)
    assert (first.positions != lay_out(rows, random_state=1).positions).any()


def test_a_landmark_stands_where_it_was_laid_out() -> None:
    images = lay_out(make_groups(100))
    np.testing.assert_array_equal(images.place(images.landmarks), images.positions)


def test_an_image_stands_at_the_same_place_whatever_is_placed_with_it() -> None:
    rows = make_groups(2500).astype(np.float32)
    images = lay_out(rows.astype(np.float64))
    placed = images.place(rows)
    for part in (slice(0, 1), slice(1000, 1100), slice(2400, None)):
        np.testing.assert_allclose(images.place(rows[part]), placed[part], atol=1e-3)


@pytest.mark.parametrize("n_landmarks", [1, 9, 12, 13, 130, 500])
def test_an_image_stands_among_its_ten_nearest_landmarks(n_landmarks: int) -> None:
    generator = np.random.default_rng(n_landmarks)
    landmarks, positions, rows = (
        generator.normal(size=shape).astype(np.float32)
        for shape in ((n_landmarks, 5), (n_landmarks, 2), (40, 5))
    )
    lengths = np.linalg.norm(rows[:, None] - landmarks.astype(np.float64), axis=2)
    for row, placed in zip(lengths, Map(landmarks, positions).place(rows), strict=True):
        near = np.argsort(row)[:10]
        weights = np.exp(-2 * (row[near] / row[near[0]]) ** 2)
        np.testing.assert_allclose(
            placed, weights @ positions[near] / weights.sum(), rtol=1e-4, atol=1e-6
        )


def test_many_components_are_placed_in_bounded_memory() -> None:
    rng = np.random.default_rng(0)
    landmarks = rng.standard_normal((20, 4096)).astype(np.float32)
    images = Map(landmarks, rng.standard_normal((20, 2)).astype(np.float32))
    rows = rng.standard_normal((1024, 4096)).astype(np.float32)
    tracemalloc.start()
    try:
        images.place(rows)
        assert tracemalloc.get_traced_memory()[1] < 150_000_000
    finally:
        tracemalloc.stop()


def test_blank_images_have_a_place_however_many_they_are() -> None:
    rows = np.concatenate([make_groups(60), np.full((300, 20), 5.0)])
    assert np.isfinite(lay_out(rows, 360).place(rows)).all()


def test_weights_fall_with_the_distance() -> None:
    landmarks = np.array([[0, 0, 0], [3, 0, 0]], np.float32)
    images = Map(landmarks, np.array([[0, 0], [1, 0]], np.float32))
    # Twice as far as the nearest: exp(-8) against exp(-2).
    share = np.exp(-8) / (np.exp(-8) + np.exp(-2))
    np.testing.assert_allclose(images.place(landmarks[1:] / 3), [[share, 0]], atol=1e-6)


@pytest.mark.parametrize("n_components", [1, 2])
def test_up_to_two_components_are_the_map(n_components: int) -> None:
    rows = make_groups(50, n_components=n_components)
    images = lay_out(rows)
    assert not len(images.landmarks)
    np.testing.assert_array_equal(images.place(rows)[:, :n_components], rows.astype(np.float32))


@pytest.mark.parametrize("rows", [make_groups(3, 1), np.zeros((40, 5))], ids=["few", "equal"])
def test_images_without_neighbours_to_keep_stand_by_their_components(rows: Float64) -> None:
    np.testing.assert_array_equal(lay_out(rows).place(rows), rows[:, :2].astype(np.float32))


def test_copies_among_the_landmarks_have_a_place() -> None:
    rows = np.repeat(make_groups(30), 10, axis=0)
    assert np.isfinite(lay_out(rows).place(rows)).all()


def test_the_layout_takes_a_small_part_of_the_time_of_a_job() -> None:
    slow, fast = JobRequest(source="/photos"), JobRequest(source="/photos", features="pixels")
    tutorial = JobRequest(source="/photos", features="pixels", clusters=5)
    assert [count_landmarks(slow, n) for n in (10, 100_000)] == [3000, 3000]
    assert [count_landmarks(fast, n) for n in (10, 60_000, 10**6)] == [300, 1000, 3000]
    assert count_landmarks(tutorial, 10**6) == 0
