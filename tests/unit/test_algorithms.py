import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from worker.algorithms import find_dense_clusters, find_minibatch_clusters, label_by_references
from worker.model import nearest

SIZES = (300, 200, 100)


def make_blobs() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Three far clouds, the largest last, in mixed order."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat([2, 1, 0], SIZES))
    return labels[:, None] * 20.0 + generator.standard_normal((len(labels), 4)), labels


def test_mini_batches_find_clusters_numbered_by_size_and_the_same_each_time() -> None:
    rows, truth = make_blobs()
    centroids, inertia = find_minibatch_clusters(rows, 3, 0)
    labels = nearest(rows, centroids)
    assert adjusted_rand_score(truth, labels) == 1
    assert tuple(np.bincount(labels)) == SIZES
    assert inertia == pytest.approx(((rows - centroids[labels]) ** 2).sum())
    again, _ = find_minibatch_clusters(rows, 3, 0)
    np.testing.assert_array_equal(centroids, again)


def test_dense_clusters_are_numbered_by_size_and_far_rows_are_noise() -> None:
    rows, truth = make_blobs()
    references = find_dense_clusters(np.vstack([rows, [[500, -500, 0, 0]]]), 0)
    assert references.labels[-1] == -1
    found = references.labels[:-1] >= 0
    assert found.mean() > 0.9
    assert adjusted_rand_score(truth[found], references.labels[:-1][found]) == 1
    assert list(np.argsort(-np.bincount(references.labels[:-1][found]))) == [0, 1, 2]


def test_the_references_themselves_keep_their_labels() -> None:
    rows = np.random.default_rng(1).standard_normal((400, 3)) ** 3
    known = find_dense_clusters(rows, 0)
    arrays = known.coordinates, known.labels, known.radii
    labels, distances = label_by_references(known.coordinates, *arrays)
    np.testing.assert_array_equal(labels, known.labels)
    assert not distances.any()


def test_further_rows_get_the_label_of_their_cloud_or_are_noise() -> None:
    rows, truth = make_blobs()
    known = find_dense_clusters(rows[::2], 0)
    arrays = known.coordinates, known.labels, known.radii
    labels, _ = label_by_references(rows[1::2], *arrays)
    assert adjusted_rand_score(truth[1::2][labels >= 0], labels[labels >= 0]) == 1
    assert abs((labels < 0).mean() - (known.labels < 0).mean()) < 0.1
    assert label_by_references(np.full((1, 4), 300.0), *arrays)[0] == [-1]


def test_the_radius_decides_what_is_still_of_a_cluster() -> None:
    references = np.array([[0], [10]], np.float32)
    arrays = np.array([0, 1], np.int32), np.array([2, 1], np.float32)
    labels, distances = label_by_references(np.array([[2.0], [8.0], [9.5]]), references, *arrays)
    assert labels.tolist() == [0, -1, 1]
    assert distances.tolist() == [2, 2, 0.5]


def test_a_sample_is_bounded_and_too_few_rows_are_all_noise() -> None:
    many = np.random.default_rng(0).standard_normal((6000, 200))
    assert len(find_dense_clusters(many[:, :2], 0).labels) == 5000
    assert len(find_dense_clusters(many, 0).labels) == 2500
    assert find_dense_clusters(many[:3], 0).labels.tolist() == [-1, -1, -1]
