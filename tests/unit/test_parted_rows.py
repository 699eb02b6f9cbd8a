"""Rows in parts are read as if they were one array."""

import resource

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.worker.clustering.rows import READ_BYTES, PartedRows
from shoal.worker.model.limits import set_limits
from shoal.worker.model.model import FittedModel
from shoal.worker.model.numbering import number_by_size


def split(array: np.ndarray, sizes: list[int]) -> PartedRows:
    parts = np.split(array, np.cumsum(sizes)[:-1])
    return PartedRows(sizes, lambda part, rows: parts[part][rows], array.shape[1], array.dtype)


@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=6), rows=st.slices(20))
def test_any_slice_is_that_of_one_array(sizes: list[int], rows: slice) -> None:
    if rows.step is not None and rows.step < 0:
        rows = slice(rows.start, rows.stop, -rows.step)
    array = np.arange(2 * sum(sizes), dtype=np.int16).reshape(-1, 2)
    parted = split(array, sizes)
    assert (len(parted), parted.shape, parted.dtype) == (len(array), array.shape, array.dtype)
    np.testing.assert_array_equal(parted[rows], array[rows])
    assert [row.tolist() for row in parted] == array.tolist()


def test_rows_of_one_part_are_not_copied() -> None:
    array = np.arange(12).reshape(-1, 2)
    assert np.shares_memory(split(array, [2, 4])[2:5], array)
    assert not np.shares_memory(split(array, [2, 4])[1:5], array)


def test_many_small_parts_need_no_more_files_than_one(tmp_path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(bytes(2))
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    rows = PartedRows(
        [1] * 300, lambda _, rows: np.memmap(path, np.uint8, "r", shape=(1, 2))[rows], 2, np.uint8
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (120, hard))
    try:
        assert rows[:].shape == (300, 2)
        assert rows[::2].shape == (150, 2)
        assert len(list(rows)) == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def test_no_rows_have_their_form() -> None:
    rows = split(np.empty((0, 3), np.float32), [0])
    assert rows[:10].shape == (0, 3)
    assert rows[:10].dtype == np.float32
    with pytest.raises(StopIteration):
        next(iter(rows))


def test_long_rows_are_read_a_few_at_a_time() -> None:
    n_features = 3 * 512 * 512
    model = FittedModel(
        mean=np.zeros(n_features),
        scale=np.ones(n_features),
        components=np.eye(1, n_features, dtype=np.float32),
        centroids=np.zeros((1, 1)),
        explained_variance=np.ones(1),
        explained_variance_ratio=np.ones(1),
        inertia=0.0,
        rows_fitted=200,
    )
    row, read = np.zeros((1, n_features), np.uint8), list[int]()

    def read_rows(_: int, rows: slice) -> np.ndarray:
        read.append(len(range(*rows.indices(200))) * row.nbytes)
        return np.broadcast_to(row, (read[-1] // row.nbytes, n_features))

    rows = PartedRows([200], read_rows, n_features, np.uint8)
    assert len(list(rows)) == 200
    assert set_limits(model, rows).distance_limits.tolist() == [0]
    number_by_size(model, [rows])
    assert sum(read) == 3 * 200 * row.nbytes
    assert max(read) <= READ_BYTES
