"""Nearest neighbours against what a comparison of all pairs in float64 gives."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.producer.search.groups import Groups, each_by_itself, make_places
from shoal.producer.search.neighbours import NearestImages, measure_distances
from shoal.shared.store.rows import DUPLICATE_ROW


def see(nearest: NearestImages, batches: list[Any]) -> NearestImages:
    for number, batch in enumerate(batches):
        nearest.add(number, batch)
    return nearest


def place_all(batches: list[Any]) -> Any:
    return np.concatenate([make_places(n, np.arange(len(b))) for n, b in enumerate(batches)])


def compare_all(batches: list[Any], queries: Any, groups: Groups, left_out: Any) -> Any:
    """All images by distance and place, the first of each group."""
    distances = measure_distances(np.concatenate(batches), queries).min(axis=1)
    places, seen, found = place_all(batches), set(groups.find(left_out)), []
    for row in np.lexsort((places, distances)):
        (group,) = groups.find(places[[row]])
        if group not in seen:
            seen.add(group)
            found.append((places[row], distances[row]))
    return found


@st.composite
def searches(draw: Any) -> Any:
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_components = draw(st.integers(1, 6))
    # Few different values: many ties, and copies in several batches.
    scale = draw(st.sampled_from([1e-3, 1.0, 1e5]))
    offset = draw(st.sampled_from([0.0, 1e3]))

    def make(n_rows: int) -> Any:
        steps = random.integers(-2, 3, (n_rows, n_components))
        return (steps * scale + offset).astype(np.float32)

    batches = [make(n) for n in draw(st.lists(st.integers(0, 12), min_size=1, max_size=5))]
    places = place_all(batches)
    grouped = places[random.random(len(places)) < draw(st.sampled_from([0, 0.5]))]
    groups = Groups(grouped, random.integers(0, 4, len(grouped)))
    left_out = places[random.random(len(places)) < 0.1]
    return batches, make(draw(st.integers(1, 3))), groups, left_out, draw(st.integers(1, 8))


@given(searches())
def test_the_nearest_are_those_of_a_comparison_of_all(search: Any) -> None:
    batches, queries, groups, left_out, count = search
    nearest = NearestImages(queries, count, groups, left_out=left_out)
    see(nearest, batches)
    expected = compare_all(batches, queries, groups, left_out)
    found = list(zip(nearest.places, nearest.distances, strict=True))
    assert found == expected[:count]
    if found:
        limit = found[len(found) // 2][1]
        near = see(NearestImages(queries, count, groups, limit, left_out), batches)
        within = [pair for pair in expected if pair[1] <= limit]
        assert list(zip(near.places, near.distances, strict=True)) == within[:count]
    points = dict(zip(place_all(batches), np.concatenate(batches), strict=True))
    assert all((points[p] == row).all() for p, row in zip(nearest.places, nearest.points))  # noqa: B905


def test_images_far_from_the_origin_are_told_apart_where_float32_cannot() -> None:
    # The squares of the lengths differ by less than float32 tells.
    points = np.full((1000, 50), 1e4, np.float32)
    points[:, 0] += np.random.default_rng(0).permutation(1000).astype(np.float32) / 100
    nearest = see(NearestImages(points[:1], 20, each_by_itself()), np.split(points, 4))
    exact = np.sort(np.abs(points[:, 0].astype(float) - float(points[0, 0])))[:20]
    np.testing.assert_array_equal(nearest.distances, exact)


def test_of_equal_distances_the_first_by_path_counts() -> None:
    batches = [np.zeros((2, 3), np.float32), np.zeros((3, 3), np.float32)]
    nearest = see(NearestImages(batches[0][:1], 3, each_by_itself()), batches)
    assert nearest.places.tolist() == place_all(batches)[:3].tolist()


def test_what_is_not_a_number_is_not_found_and_hides_nothing() -> None:
    points = np.array([[0, 0], [np.nan, 0], [1, 0]], np.float32)
    nearest = see(NearestImages(points[:1], 3, each_by_itself()), [points])
    assert nearest.distances.tolist() == [0, 1]


def test_groups_are_read_from_the_rows_of_duplicates() -> None:
    rows = [(0, 0, 1, 4, 0, 2, 0), (0, 1, 0, 2, 1, 4, 3), (1, 0, 2, 0, 2, 1, 0)]
    groups = Groups.of_duplicates(b"".join(DUPLICATE_ROW.pack(*row) for row in rows))
    places = np.array([2, (1 << 32) + 4, 2 << 32, 3])
    assert groups.find(places).tolist() == [-1, -1, -2, 3]
    assert Groups.of_duplicates(b"").find(places).tolist() == places.tolist()


@pytest.mark.parametrize("n_others", [1, 3])
def test_distances_are_those_of_float64(n_others: int) -> None:
    random = np.random.default_rng(0)
    points, others = random.normal(size=(5, 7)), random.normal(size=(n_others, 7))
    expected = np.linalg.norm(points[:, None] - others, axis=2)
    np.testing.assert_allclose(measure_distances(points, others), expected, rtol=1e-14)
