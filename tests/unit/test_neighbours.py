"""The nearest other images of every image, exact and in one order."""

from functools import partial
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from shoal.producer.export.neighbours import find_neighbors, make_column
from shoal.producer.export.tables import write_parquet
from shoal.shared.errors import UsageError
from shoal.shared.findings import Assignment


def make_points(n_images: int, n_components: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n_images, n_components)).astype(np.float32)


@given(st.integers(2, 60), st.integers(1, 20))
def test_neighbours_are_the_nearest_others(n_images: int, count: int) -> None:
    points = make_points(n_images)
    ids, distances = find_neighbors(points, count)
    exact = np.linalg.norm(points.astype(float)[:, None] - points.astype(float), axis=2)
    np.fill_diagonal(exact, np.inf)
    expected = np.argsort(exact, axis=1, kind="stable")[:, : min(count, n_images - 1)]
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_allclose(distances, np.take_along_axis(exact, expected, 1), rtol=1e-5)
    assert [str(found.dtype) for found in (ids, distances)] == ["int64", "float32"]


def test_equally_near_images_are_in_the_order_of_their_rows() -> None:
    ids, distances = find_neighbors(np.zeros((4, 2), np.float32), 3)
    assert ids.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
    assert not distances.any()


def test_one_image_has_no_neighbour_and_none_can_be_asked_for() -> None:
    assert find_neighbors(make_points(1), 5).ids.shape == (1, 0)
    with pytest.raises(UsageError, match="`count` is 0: give 1 or more"):
        find_neighbors(make_points(5), 0)


def test_parquet_has_them_as_viewers_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shoal.producer.export.tables.ROW_GROUP", 4)
    neighbors = find_neighbors(make_points(10), 2)
    rows = [Assignment(f"{i}.jpg", 0, 0.5, 0.0, 1.0, 3.0, 4.0) for i in range(10)]
    with BytesIO() as file:
        write_parquet(rows, file, {"__neighbors": partial(make_column, neighbors)})
        table = parquet.read_table(BytesIO(file.getvalue()))
    assert table.column_names[-1] == "__neighbors"
    for row, found in enumerate(table["__neighbors"].to_pylist()):
        assert found["ids"] == [row, *neighbors.ids[row]]
        assert found["distances"] == [0, *neighbors.distances[row].tolist()]
    first = table.to_pandas()["__neighbors"][0]
    assert np.stack([first["ids"]]).shape == (1, 3)
