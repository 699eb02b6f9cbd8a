"""Rows in parts are read as if they were one array."""

import resource

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.worker.clustering.rows import PartedRows


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
