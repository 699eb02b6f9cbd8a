"""Numbers of clusters, where not all images were fitted."""

from dataclasses import replace

import numpy as np
import pytest

from shoal.worker.model.model import FittedModel
from shoal.worker.model.numbering import number_by_size, renumber

MODEL = FittedModel(
    mean=np.zeros(2),
    scale=np.ones(2),
    components=np.eye(2, dtype=np.float32),
    centroids=np.array([[0.0, 0], [10, 0], [0, 10]]),
    explained_variance=np.ones(2),
    explained_variance_ratio=np.full(2, 0.5),
    inertia=0.0,
    rows_fitted=3,
)
NEAR = [np.array(centre, np.float32) for centre in ([1, 0], [9, 1], [1, 9])]


def make_rows(*counts):
    return np.repeat(np.stack(NEAR), counts, axis=0)


def test_clusters_are_numbered_by_falling_size_of_all_parts():
    found = number_by_size(MODEL, [make_rows(3, 1, 1), make_rows(0, 1, 5)])
    assert found.centroids.tolist() == [[0, 10], [0, 0], [10, 0]]
    labels = found.label(make_rows(3, 2, 6)).labels
    assert np.bincount(labels).tolist() == [6, 3, 2]


def test_clusters_of_one_size_and_empty_ones_stay_in_order():
    found = number_by_size(MODEL, [make_rows(0, 2, 0)])
    assert found.centroids.tolist() == [[10, 0], [0, 0], [0, 10]]


def test_references_and_noise_keep_their_clusters():
    model = replace(
        MODEL,
        reference_coordinates=np.stack([*NEAR, [50, 50]]).astype(np.float32),
        reference_labels=np.array([0, 1, 2, -1], np.int32),
        reference_radii=np.full(4, 2, np.float32),
    )
    far = np.full((9, 2), 50, np.float32)
    found = number_by_size(model, [make_rows(1, 2, 3), far])
    assert found.reference_labels.tolist() == [2, 1, 0, -1]
    assert found.reference_labels.dtype == np.int32
    rows = np.concatenate([make_rows(1, 2, 3), far])
    assert found.label(rows).labels.tolist() == [2, 1, 1, 0, 0, 0] + [-1] * 9


def test_a_job_can_be_stopped_while_its_images_are_counted():
    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        number_by_size(MODEL, [make_rows(1, 1, 1)], stop)


def test_clusters_get_the_numbers_that_are_given():
    model = replace(MODEL, reference_labels=np.array([0, 1, 2, -1], np.int32))
    found = renumber(model, np.array([2, 0, 1]))
    assert found.centroids.tolist() == [[10, 0], [0, 10], [0, 0]]
    assert found.reference_labels.tolist() == [2, 0, 1, -1]
