import numpy as np
import pytest

from shoal.worker.findings.representatives import choose_outliers, choose_representatives


def to_lists(found):
    return [rows.tolist() for rows in found]


def test_representatives_are_the_nearest_to_the_centroid_nearest_first():
    labels = np.array([0, 1, 0, 1, 0, 0], dtype=np.int32)
    distances = np.array([3, 1, 2, 5, 1, 4], dtype=np.float32)
    assert to_lists(choose_representatives(labels, distances, 2, 3)) == [[4, 2, 0], [1, 3]]


def test_of_equal_distances_the_lower_row_wins():
    labels = np.zeros(6, dtype=np.int32)
    distances = np.array([7, 5, 7, 5, 5, 1], dtype=np.float32)
    assert to_lists(choose_representatives(labels, distances, 1, 3)) == [[5, 1, 3]]
    assert choose_outliers(distances, 3).tolist() == [0, 2, 1]


def test_a_cluster_without_images_has_no_representatives():
    labels = np.array([0, 2, 2], dtype=np.int32)
    distances = np.ones(3, dtype=np.float32)
    assert to_lists(choose_representatives(labels, distances, 4, 8)) == [[0], [], [1, 2], []]


def test_outliers_are_the_farthest_first_and_at_most_all_images():
    distances = np.array([1, 9, 4], dtype=np.float32)
    assert choose_outliers(distances, 2).tolist() == [1, 2]
    assert choose_outliers(distances, 10).tolist() == [1, 2, 0]
    assert choose_outliers(distances, 0).tolist() == []


@pytest.mark.parametrize("n_clusters", [1, 7, 70_000])
def test_the_choice_is_that_of_a_full_sort(n_clusters):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, n_clusters, 2_000, dtype=np.int32)
    distances = generator.integers(0, 50, 2_000).astype(np.float32)
    found = choose_representatives(labels, distances, n_clusters, 5)
    order = np.lexsort((distances, labels))
    for label in np.unique(labels):
        assert found[label].tolist() == order[labels[order] == label][:5].tolist()


def test_a_million_rows_give_what_sorting_all_of_them_gives():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 300, 1_000_000, dtype=np.int32)
    distances = generator.random(1_000_000, dtype=np.float32)
    found = choose_representatives(labels, distances, 300, 8)
    order = np.lexsort((distances, labels))
    starts = np.searchsorted(labels[order], np.arange(300))
    for rows, start in zip(found, starts, strict=True):
        assert rows.tolist() == order[start : start + 8].tolist()
