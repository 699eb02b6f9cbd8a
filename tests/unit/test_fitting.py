import tracemalloc
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from crops import fit, make_crops
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from shoal.worker.clustering.centroids import nearest, number_by_size
from shoal.worker.clustering.clustering import Clustering
from shoal.worker.clustering.kmeans import fit_kmeans
from shoal.worker.model.fitting import fit_model
from shoal.worker.stages.fitting import add_up


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """What is compared with has one thread, too: two on busy cores take ten times as long."""
    with threadpool_limits(1):
        yield


def exact_variances(rows: NDArray[Any]) -> NDArray[np.float64]:
    scaled = StandardScaler().fit_transform(rows.astype(float))
    return np.linalg.eigvalsh(np.cov(scaled.T))[::-1]


@pytest.mark.parametrize("name", ["digits", "600 crops"])
def test_the_recipe_gives_the_labels_of_scikit_learn(name: str) -> None:
    rows = load_digits().data if name == "digits" else make_crops(int(name.split()[0]))
    scaled = StandardScaler().fit_transform(rows.astype(float))
    expected = KMeans(n_clusters=5, random_state=0).fit_predict(
        PCA(n_components=2, random_state=0).fit_transform(scaled)
    )
    assert adjusted_rand_score(expected, fit(rows).label(rows).labels) == 1


def test_kmeans_by_single_iterations_ends_where_scikit_learn_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coordinates = np.random.default_rng(0).standard_normal((2000, 2))
    expected = KMeans(n_clusters=5, random_state=0).fit(coordinates)
    monkeypatch.setattr("shoal.worker.clustering.kmeans.KMEANS_STEP", 1)
    steps: list[int] = []
    found = fit_kmeans(coordinates, 5, 0, lambda: steps.append(1))
    assert len(steps) == expected.n_iter_ > 10
    assert adjusted_rand_score(expected.labels_, nearest(coordinates, found.centroids)) == 1
    assert found.inertia == pytest.approx(expected.inertia_, rel=1e-12)


def test_kmeans_by_single_iterations_finds_the_centroids_of_one_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = make_crops(600)
    expected = fit(rows)
    monkeypatch.setattr("shoal.worker.clustering.kmeans.KMEANS_STEP", 1)
    np.testing.assert_allclose(fit(rows).centroids, expected.centroids, rtol=1e-9)


def test_components_coordinates_and_variances_are_those_of_scikit_learn() -> None:
    rows = make_crops(200)
    scaled = StandardScaler().fit_transform(rows.astype(float))
    pca = PCA(n_components=3, svd_solver="full").fit(scaled)
    model = fit(rows, n_components=3)
    np.testing.assert_allclose(model.components, pca.components_, atol=1e-5)
    np.testing.assert_allclose(model.project(rows), pca.transform(scaled), atol=1e-3)
    np.testing.assert_allclose(model.explained_variance, pca.explained_variance_, rtol=1e-5)
    ratio = pca.explained_variance_ratio_
    np.testing.assert_allclose(model.explained_variance_ratio, ratio, rtol=1e-5)


def test_fifty_components_explain_what_exact_ones_do() -> None:
    rows = make_crops(5000)[:, :1010]
    model = fit(rows, n_components=50)
    exact = exact_variances(rows)[:50]
    assert model.explained_variance.sum() == pytest.approx(exact.sum(), rel=1e-3)
    assert np.all(np.diff(model.explained_variance) <= 0)
    orthogonal = model.components @ model.components.T
    np.testing.assert_allclose(orthogonal, np.eye(50), atol=1e-5)


def test_float_features_give_the_model_of_the_same_pixels() -> None:
    pixels = make_crops(600)
    expected = fit(pixels)
    model = fit((pixels / 255).astype(np.float32))
    np.testing.assert_allclose(model.components, expected.components, atol=1e-4)
    np.testing.assert_allclose(model.centroids, expected.centroids, atol=1e-2)


def test_clusters_are_numbered_by_size() -> None:
    rows = make_crops(600)
    sizes = np.bincount(fit(rows).label(rows).labels, minlength=5)
    assert np.all(np.diff(sizes) <= 0)
    assert sizes.min() > 0


def test_clusters_of_one_size_are_numbered_by_their_centroids() -> None:
    coordinates = np.array([[5.0, 1], [5, 0], [-1, 3], [9, 9], [9, 9]])
    centroids = coordinates[[0, 1, 2, 3]]
    numbered = number_by_size(coordinates, centroids).tolist()
    assert numbered == [[9, 9], [-1, 3], [5, 0], [5, 1]]


def test_a_sample_is_projected_about_the_mean_of_all_rows() -> None:
    rows = make_crops(3000)
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    model, _ = fit_model(rows[::3], mean, scale, Clustering(n_clusters=5), 2)
    assert model.rows_fitted == 1000
    assert np.all(np.abs(model.project(rows).mean(axis=0)) < 1e-3)


def test_inertia_is_the_sum_of_squared_distances() -> None:
    rows = make_crops(600)
    model = fit(rows)
    assert model.inertia == pytest.approx((model.label(rows).distances ** 2.0).sum(), rel=1e-3)


@pytest.mark.parametrize("n_features", [10, 3072])
def test_equal_rows_make_one_cluster_and_no_warning(n_features: int) -> None:
    rows = np.full((20, n_features), 7, np.uint8)
    with warnings.catch_warnings(action="error"):
        model = fit(rows)
    assert model.label(rows).labels.tolist() == [0] * 20
    assert len(model.centroids) == 1
    assert model.explained_variance_ratio.tolist() == [0, 0]


def test_fewer_distinct_rows_than_clusters_make_fewer_clusters() -> None:
    rows = np.repeat(make_crops(3), [30, 20, 10], axis=0)
    model = fit(rows)
    expected = np.repeat([0, 1, 2], [30, 20, 10]).tolist()
    assert model.label(rows).labels.tolist() == expected


@pytest.mark.parametrize("n_rows", [1, 2, 4])
def test_more_components_and_clusters_than_rows_are_cut_to_the_rows(n_rows: int) -> None:
    model = fit(make_crops(4)[:n_rows], n_components=50, n_clusters=9)
    assert model.components.shape == (n_rows, 3072)
    assert len(model.centroids) == n_rows


def test_a_checkpoint_can_stop_the_fit_at_every_step() -> None:
    calls: list[int] = []
    fit(make_crops(1500), checkpoint=lambda: calls.append(1))
    assert len(calls) > 10
    for left in (1, len(calls) // 2, len(calls)):
        steps = list(range(left - 1))
        with pytest.raises(IndexError):
            fit(make_crops(1500), checkpoint=steps.pop)


def test_statistics_of_long_rows_take_little_memory() -> None:
    rows = np.full((400, 256 * 256 * 3), 3, np.uint8)
    tracemalloc.start()
    try:
        total = add_up(rows)
        assert tracemalloc.get_traced_memory()[1] < rows.nbytes
    finally:
        tracemalloc.stop()
    assert (total.n_samples, total.total[0], total.total_of_squares[-1]) == (400, 1200, 3600)
