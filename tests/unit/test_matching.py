"""Clusters keep the numbers that their images had before."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.worker.clustering import matching
from shoal.worker.clustering.matching import match_clusters


def match(labels, earlier, n_clusters):
    found = match_clusters(np.array(labels, np.int32), np.array(earlier, np.int32), n_clusters)
    return found.numbers.tolist(), found.n_matched


@given(st.permutations(range(6)), st.lists(st.integers(-1, 5), min_size=1, max_size=60))
def test_a_permutation_of_the_same_clusters_is_undone(permutation, earlier):
    of_earlier = np.array([*permutation, -1])
    earlier = np.array(earlier)
    numbers, n_matched = match(of_earlier[earlier], earlier, 6)
    present = np.unique(earlier[earlier >= 0])
    assert [numbers[permutation[label]] for label in present] == present.tolist()
    assert n_matched == len(present)


@given(
    st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 7)), max_size=50),
    st.integers(5, 9),
)
def test_numbers_are_a_permutation_whatever_is_shared(images, n_clusters):
    labels, earlier = zip(*images, strict=True) if images else ((), ())
    numbers, n_matched = match(labels, earlier, n_clusters)
    assert sorted(numbers) == list(range(n_clusters))
    assert 0 <= n_matched <= min(n_clusters, 8)
    assert match(labels, earlier, n_clusters) == (numbers, n_matched)


def test_pairs_share_as_many_images_as_possible_in_all():
    # Cluster 0 shares 3 with 0 and 2 with 1, cluster 1 shares 3 with 0 and none with 1: 2 + 3.
    labels = [0] * 5 + [1] * 3
    earlier = [0, 0, 0, 1, 1, 0, 0, 0]
    assert match(labels, earlier, 2) == ([1, 0], 2)


def test_a_new_cluster_takes_the_next_free_number():
    # The largest cluster now, 0, is new.
    assert match([1, 1, 2], [0, 0, 1], 3) == ([2, 0, 1], 2)


def test_two_parts_of_a_cluster_are_the_larger_one_and_a_new_one():
    assert match([0] * 2 + [1] * 3 + [2], [1] * 5 + [0], 3) == ([2, 1, 0], 2)


def test_with_fewer_clusters_the_gaps_are_filled():
    # The earlier clusters 0 and 3 remain: there is no number 3 among two, and 1 is free.
    assert match([0, 0, 1], [3, 3, 0], 2) == ([1, 0], 1)


@pytest.mark.parametrize(("labels", "earlier"), [([], []), ([-1, 0], [0, -1])])
def test_clusters_that_share_nothing_stay_in_their_order(labels, earlier):
    assert match(labels, earlier, 3) == ([0, 1, 2], 0)


@given(st.permutations(range(5)))
def test_thousands_of_clusters_are_matched_without_the_cube_of_their_number(permutation):
    earlier = np.repeat(np.arange(5), [9, 7, 5, 3, 1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "EXACT_CELLS", 0)
        numbers, n_matched = match(np.array(permutation)[earlier], earlier, 5)
    assert [numbers[label] for label in permutation] == list(range(5))
    assert n_matched == 5
