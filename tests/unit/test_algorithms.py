import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from shoal.shared.errors import JobFailedError
from shoal.shared.jobs import Algorithm
from shoal.worker.clustering.centroids import measure_inertia, nearest
from shoal.worker.clustering.clustering import Clustering
from shoal.worker.clustering.density import fit_hdbscan
from shoal.worker.clustering.references import References
from shoal.worker.model.model import FittedModel

SIZES = (300, 200, 100)


def go_on() -> None:
    """Never stop."""


def make_blobs() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Three far clouds, the largest last, in mixed order."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat([2, 1, 0], SIZES))
    return labels[:, None] * 20.0 + generator.standard_normal((len(labels), 4)), labels


@pytest.mark.parametrize("algorithm", [Algorithm.KMEANS, Algorithm.MINIBATCH])
def test_clusters_are_numbered_by_size_and_the_same_each_time(algorithm: Algorithm) -> None:
    rows, truth = make_blobs()
    clustering = Clustering(algorithm=algorithm, n_clusters=3)
    found = clustering.fit(rows, rows)
    labels = nearest(rows, found.centroids)
    assert adjusted_rand_score(truth, labels) == 1
    assert tuple(np.bincount(labels)) == SIZES
    assert found.inertia == pytest.approx(((rows - found.centroids[labels]) ** 2).sum())
    np.testing.assert_array_equal(found.centroids, clustering.fit(rows, rows).centroids)


@pytest.mark.parametrize("algorithm", [Algorithm.KMEANS, Algorithm.MINIBATCH])
def test_the_seed_decides_where_rows_have_no_clusters(algorithm: Algorithm) -> None:
    rows = np.random.default_rng(0).uniform(size=(2_000, 3))
    first, again, other = (
        Clustering(algorithm=algorithm, n_clusters=5, random_state=seed).fit(rows, rows).centroids
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("algorithm", [Algorithm.KMEANS, Algorithm.MINIBATCH])
def test_there_are_at_most_as_many_clusters_as_distinct_rows(algorithm: Algorithm) -> None:
    rows = np.repeat([[0.0], [1.0], [2.0]], 5000, axis=0)
    found = Clustering(algorithm=algorithm, n_clusters=5).fit(rows, rows)
    np.testing.assert_allclose(found.centroids, [[0], [1], [2]])


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_rows_without_a_difference_are_one_cluster_and_the_reason_says_so(
    algorithm: Algorithm,
) -> None:
    rows = np.full((30, 8), 3, np.uint8)
    rounding = 1e-7 * np.random.default_rng(0).standard_normal((30, 4))
    found = Clustering(algorithm=algorithm, n_clusters="auto").fit(rounding, rows)
    assert found.centroids.shape == (1, 4)
    assert found.choice
    assert found.choice.reason == "1: there is no difference to see"


@pytest.mark.parametrize("algorithm", [Algorithm.KMEANS, Algorithm.HDBSCAN])
def test_copies_of_a_few_rows_are_a_cluster_each_despite_rounding(algorithm: Algorithm) -> None:
    rows = np.repeat([[0, 0], [9, 0], [0, 9], [9, 9]], 6, axis=0)
    coordinates = rows + 1e-7 * np.random.default_rng(0).standard_normal(rows.shape)
    found = Clustering(algorithm=algorithm, n_clusters="auto").fit(coordinates, rows)
    assert len(found.centroids) == 4


def test_copies_among_a_few_other_rows_are_one_cluster_of_hdbscan() -> None:
    rows = np.repeat([[0.0, 0], [9, 0], [0, 9], [9, 9]], [27, 1, 1, 1], axis=0)
    found = Clustering(algorithm=Algorithm.HDBSCAN, n_clusters="auto").fit(rows, rows)
    assert found.references.label(rows).tolist() == [0] * 27 + [-1] * 3


def test_hdbscan_says_that_it_has_too_few_rows() -> None:
    rows = np.arange(4.0)[:, None]
    with pytest.raises(JobFailedError, match="4 images are too few for HDBSCAN"):
        Clustering(algorithm=Algorithm.HDBSCAN, n_clusters="auto").fit(rows, rows)


def test_mini_batches_make_more_clusters_than_a_batch_has_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shoal.worker.clustering.minibatch.BATCH_ROWS", 4)
    rows = np.arange(50.0)[:, None]
    found = Clustering(algorithm=Algorithm.MINIBATCH, n_clusters=20).fit(rows, rows)
    assert 10 <= len(found.centroids) <= 20


def test_every_algorithm_stops_between_its_steps() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    rows, _ = make_blobs()
    for algorithm in Algorithm:
        with pytest.raises(KeyboardInterrupt):
            Clustering(algorithm=algorithm, n_clusters=3, checkpoint=stop).fit(rows, rows)


def test_dense_clusters_are_numbered_by_size_and_far_rows_are_noise() -> None:
    rows, truth = make_blobs()
    far = np.vstack([rows, [[500, -500, 0, 0]]])
    found = Clustering(algorithm=Algorithm.HDBSCAN, n_clusters="auto").fit(far, far)
    labels = found.references.label(far.astype(np.float32))
    assert labels[-1] == -1
    inside = labels[:-1] >= 0
    assert inside.mean() > 0.9
    assert adjusted_rand_score(truth[inside], labels[:-1][inside]) == 1
    assert list(np.argsort(-np.bincount(labels[:-1][inside]))) == [0, 1, 2]
    means = [rows[inside][labels[:-1][inside] == label].mean(axis=0) for label in range(3)]
    np.testing.assert_allclose(found.centroids, means)
    assert found.inertia == pytest.approx(measure_inertia(far, found.centroids, labels))


def test_further_rows_get_the_label_of_their_cloud_or_are_noise() -> None:
    rows, truth = make_blobs()
    references = fit_hdbscan(rows[::2], 0, go_on).references
    labels = references.label(rows[1::2])
    assert adjusted_rand_score(truth[1::2][labels >= 0], labels[labels >= 0]) == 1
    assert abs((labels < 0).mean() - (references.labels < 0).mean()) < 0.1
    assert references.label(np.full((1, 4), 300.0)) == [-1]


def test_the_references_themselves_keep_their_labels() -> None:
    rows = np.random.default_rng(1).standard_normal((400, 3)) ** 3
    references = fit_hdbscan(rows, 0, go_on).references
    np.testing.assert_array_equal(references.label(references.coordinates), references.labels)


def test_the_radius_decides_what_is_still_of_a_cluster() -> None:
    references = References(
        np.array([[0], [10]], np.float32), np.array([0, 1], np.int32), np.array([2, 1], np.float32)
    )
    # Of more components than the references have, the first count.
    assert references.label(np.array([[2.0, 7], [8, 7], [9.5, 7]])).tolist() == [0, -1, 1]


def test_a_sample_is_bounded_and_rows_without_clusters_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shoal.worker.clustering.density.MOST_REFERENCES", 300)
    rows, _ = make_blobs()
    many = fit_hdbscan(rows, 0, go_on).references
    assert many.coordinates.shape == (300, 4)
    with pytest.raises(JobFailedError, match="use `algorithm='kmeans'`"):
        fit_hdbscan(rows[:3], 0, go_on)


def test_a_model_with_references_labels_as_they_do_and_survives_its_file() -> None:
    rows, _ = make_blobs()
    found = fit_hdbscan(rows, 0, go_on)
    model = FittedModel(
        mean=np.zeros(4),
        scale=np.ones(4),
        components=np.eye(4, dtype=np.float32),
        centroids=found.centroids,
        explained_variance=np.ones(4),
        explained_variance_ratio=np.ones(4) / 4,
        inertia=found.inertia,
        rows_fitted=len(rows),
        reference_coordinates=found.references.coordinates,
        reference_labels=found.references.labels,
        reference_radii=found.references.radii,
    )
    noisy = np.vstack([rows, [[1000, 0, 0, 0]]]).astype(np.float32)
    labels = FittedModel.from_bytes(model.to_bytes()).label(noisy)
    np.testing.assert_array_equal(labels.labels, found.references.label(noisy))
    assert labels.labels[-1] == -1
    near = np.linalg.norm(noisy[-1] - found.centroids, axis=1).min()
    assert labels.distances[-1] == pytest.approx(near)
