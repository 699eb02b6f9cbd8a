"""How far clusters reach, and what is beyond that."""

from dataclasses import replace

import numpy as np
import pytest

from shoal.worker.model.limits import FEWEST_OF_A_CLUSTER, MEASURED_ROWS, set_limits
from shoal.worker.model.model import FittedModel
from shoal.worker.model.numbering import renumber

# Three features, of which the third is in no component; clusters at 0 and at 100 of the first.
MODEL = FittedModel(
    mean=np.zeros(3),
    scale=np.array([1.0, 1.0, 2.0]),
    components=np.eye(2, 3, dtype=np.float32),
    centroids=np.array([[0.0, 0], [100, 0]]),
    explained_variance=np.ones(2),
    explained_variance_ratio=np.full(2, 0.5),
    inertia=0.0,
    rows_fitted=3,
)
# Distances 0 to 8 from the first centroid, and 0 to 16 from the second.
ROWS = np.array([[0, n, 0] for n in range(9)] + [[100, 2 * n, 0] for n in range(9)], np.float32)


def test_a_cluster_reaches_to_the_upper_fence_of_its_own_rows() -> None:
    # Quartiles 2 and 6: 6 + 1.5 * 4; and twice as far.
    assert set_limits(MODEL, ROWS).distance_limits.tolist() == [12, 24]


def test_a_small_cluster_reaches_as_far_as_all_do() -> None:
    rows = np.concatenate([ROWS[:9], ROWS[9 : 8 + FEWEST_OF_A_CLUSTER]])
    distances = np.linalg.norm(rows - np.repeat([[0, 0, 0], [100, 0, 0]], [9, 7], axis=0), axis=1)
    low, high = np.quantile(distances, (0.25, 0.75))
    expected = [12, np.float32(high + 1.5 * (high - low))]
    assert set_limits(MODEL, rows).distance_limits.tolist() == expected


def test_one_row_far_out_moves_the_limit_little() -> None:
    rows = np.concatenate([ROWS, [[0, 1000, 0]]]).astype(np.float32)
    assert 12 < set_limits(MODEL, rows).distance_limits[0] < 16


def test_of_many_rows_an_even_sample_is_measured() -> None:
    rows = np.random.default_rng(0).permutation(np.tile(ROWS, (2 * MEASURED_ROWS // len(ROWS), 1)))
    np.testing.assert_allclose(set_limits(MODEL, rows).distance_limits, [12, 24], rtol=0.02)


def test_a_row_is_far_by_all_features_and_not_by_its_components_alone() -> None:
    model = set_limits(MODEL, ROWS)
    # Beside the centroid within the components, 2 * 12.5 standard deviations across them.
    rows = np.array([[0, 12, 0], [0, 12.01, 0], [0, 0, 23.9], [0, 0, 25], [100, 0, 25]], np.float32)
    labels = model.label(rows)
    assert labels.far.tolist() == [False, True, False, True, False]
    np.testing.assert_allclose(labels.row_distances, [12, 12.01, 11.95, 12.5, 12.5], rtol=1e-6)
    np.testing.assert_allclose(labels.distances, [12, 12.01, 0, 0, 0], rtol=1e-6)


def test_noise_is_far_beyond_the_limit_of_the_nearest_cluster() -> None:
    model = replace(
        set_limits(MODEL, ROWS),
        reference_coordinates=np.array([[0.0, 0]], np.float32),
        reference_labels=np.zeros(1, np.int32),
        reference_radii=np.ones(1, np.float32),
    )
    labels = model.label(np.array([[0, 5, 0], [0, 13, 0], [100, 13, 0]], np.float32))
    assert labels.labels.tolist() == [-1, -1, -1]
    assert labels.far.tolist() == [False, True, False]


def test_limits_go_with_their_clusters_and_into_the_file() -> None:
    model = renumber(set_limits(MODEL, ROWS), np.array([1, 0]))
    assert model.distance_limits.tolist() == [24, 12]
    assert FittedModel.from_bytes(model.to_bytes()).distance_limits.tolist() == [24, 12]
    without = renumber(MODEL, np.array([1, 0]))
    assert not len(without.label(ROWS).far)


@pytest.mark.parametrize("n_rows", [1, 3, 64])
def test_no_row_is_farther_or_nearer_among_others(n_rows: int) -> None:
    rng = np.random.default_rng(0)
    model = replace(
        MODEL,
        mean=np.zeros(500),
        scale=np.ones(500),
        components=np.linalg.qr(rng.standard_normal((500, 2)))[0].T.astype(np.float32),
    )
    rows = rng.standard_normal((200, 500)).astype(np.float32)
    model = set_limits(model, rows)
    alone = model.label(rows[50 : 50 + n_rows])
    among = model.label(rows).row_distances[50 : 50 + n_rows]
    np.testing.assert_array_equal(alone.row_distances, among)
