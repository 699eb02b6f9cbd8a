import hashlib
import os
import subprocess
import sys
import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from worker.fitting import fit_model, number_by_size
from worker.model import Model


@cache
def make_crops(n_rows: int) -> NDArray[np.uint8]:
    """Return random 32 × 32 crops of photos, of shape (n_rows, 3072)."""
    photos = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket(), data.retina()]
    rng = np.random.default_rng(0)
    crops = []
    for number in range(n_rows):
        photo = photos[number % len(photos)]
        step = rng.integers(1, 1 + min(photo.shape[:2]) // 32)
        top, left = (rng.integers(0, length - 32 * step + 1) for length in photo.shape[:2])
        crop = photo[top : top + 32 * step : step, left : left + 32 * step : step]
        crops.append(crop.ravel())
    return np.array(crops)


def fit(rows: NDArray[Any], n_components: int = 2, n_clusters: int = 5, **others: Any) -> Model:
    return fit_model(
        rows,
        rows.mean(axis=0, dtype=float),
        rows.std(axis=0, dtype=float),
        n_components=n_components,
        n_clusters=n_clusters,
        **{"random_state": 0} | others,
    )


def exact_variances(rows: NDArray[Any]) -> NDArray[np.float64]:
    scaled = StandardScaler().fit_transform(rows.astype(float))
    return np.linalg.eigvalsh(np.cov(scaled.T))[::-1]


@pytest.mark.parametrize("name", ["digits", "600 crops", "3000 crops"])
def test_the_recipe_gives_the_labels_of_scikit_learn(name: str) -> None:
    rows = load_digits().data if name == "digits" else make_crops(int(name.split()[0]))
    scaled = StandardScaler().fit_transform(rows.astype(float))
    expected = KMeans(n_clusters=5, random_state=0).fit_predict(
        PCA(n_components=2, random_state=0).fit_transform(scaled)
    )
    assert adjusted_rand_score(expected, fit(rows).label(rows).labels) == 1


def test_components_coordinates_and_variances_are_those_of_scikit_learn() -> None:
    rows = make_crops(600)
    scaled = StandardScaler().fit_transform(rows.astype(float))
    pca = PCA(n_components=3, svd_solver="full").fit(scaled)
    model = fit(rows, n_components=3)
    np.testing.assert_allclose(model.components, pca.components_, atol=1e-5)
    np.testing.assert_allclose(model.project(rows), pca.transform(scaled), atol=1e-3)
    np.testing.assert_allclose(model.explained_variance, pca.explained_variance_, rtol=1e-5)
    ratio = pca.explained_variance_ratio_
    np.testing.assert_allclose(model.explained_variance_ratio, ratio, rtol=1e-5)


def test_fifty_components_explain_what_exact_ones_do() -> None:
    rows = make_crops(5000)
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
    model = fit_model(rows[::3], mean, scale, n_components=2, n_clusters=5, random_state=0)
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
    fit(make_crops(3000), checkpoint=lambda: calls.append(1))
    assert len(calls) > 10
    for left in (1, len(calls) // 2, len(calls)):
        steps = list(range(left - 1))
        with pytest.raises(IndexError):
            fit(make_crops(3000), checkpoint=steps.pop)


PROGRAM = """
import os, sys
if sys.argv[1] == "one core" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from tests.unit.test_fitting import hash_model
if sys.argv[1] == "forked":
    import numpy, sklearn.cluster
    numpy.ones((2000, 2000)) @ numpy.ones((2000, 2000))
    sklearn.cluster.KMeans(3).fit(numpy.random.rand(5000, 9))
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(hash_model(), flush=True)
"""


def hash_model() -> str:
    return hashlib.sha256(fit(make_crops(3000), n_components=10).to_bytes()).hexdigest()


@pytest.mark.parametrize("process", ["plain", "one core", "forked"])
@pytest.mark.parametrize("threads", ["1", "4"])
def test_the_model_is_the_same_whatever_the_threads_and_cores(process: str, threads: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, process],
        env=os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == hash_model()
