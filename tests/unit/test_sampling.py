import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.worker.clustering.sampling import choose_rows, split_rows


@pytest.mark.parametrize("most", [5, 6, 1000])
def test_all_rows_are_chosen_where_they_fit(most):
    assert choose_rows(5, most, random_state=0).tolist() == [0, 1, 2, 3, 4]


def test_a_sample_is_sorted_without_repeats_and_as_large_as_may_be():
    chosen = choose_rows(10_000, 100, random_state=0)
    assert len(chosen) == 100
    assert (np.diff(chosen) > 0).all()
    assert chosen[0] >= 0
    assert chosen[-1] < 10_000


def test_a_sample_is_the_same_at_every_call_and_another_for_another_seed():
    first, again, other = (choose_rows(1000, 100, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_a_sample_comes_from_all_parts():
    counts = np.histogram(choose_rows(100_000, 10_000, random_state=3), bins=10)[0]
    assert counts.min() > 850


def test_chosen_rows_are_split_by_batch():
    parts = split_rows(np.array([0, 2, 3, 6]), [3, 2, 0, 2])
    assert [part.tolist() for part in parts] == [[0, 2], [0], [], [1]]


@given(st.lists(st.integers(0, 20), min_size=1), st.data())
def test_the_parts_are_the_chosen_rows(rows_by_batch, data):
    n_rows = sum(rows_by_batch)
    chosen = np.array(sorted(data.draw(st.sets(st.integers(0, max(n_rows - 1, 0))))), np.int64)
    chosen = chosen[chosen < n_rows]
    starts = np.cumsum([0, *rows_by_batch[:-1]])
    parts = split_rows(chosen, rows_by_batch)
    assert all(len(part) <= rows for part, rows in zip(parts, rows_by_batch, strict=True))
    joined = np.concatenate([part + start for part, start in zip(parts, starts, strict=True)])
    assert joined.tolist() == chosen.tolist()
