import json
from dataclasses import asdict

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import lfw_subset
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.preprocessing import StandardScaler

from shoal.worker.clustering.choosing import (
    Trial,
    choose_clusters,
    choose_trial,
    measure_agreement,
    measure_distances,
    measure_silhouette,
)


def project(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled = StandardScaler().fit_transform(rows.reshape(len(rows), -1))
    projected: NDArray[np.float64] = PCA(50, random_state=0).fit_transform(scaled)
    return projected


@pytest.mark.slow
def test_digits_get_about_ten_clusters() -> None:
    assert 7 <= choose_clusters(project(load_digits().data), 0).n_clusters <= 14


def test_faces_and_other_things_are_two_clusters() -> None:
    choice = choose_clusters(project(lfw_subset()), 0)
    assert choice.n_clusters == 2
    assert choice.reason == "2: best silhouette, stable in 10 of 10 runs"
    assert choice.tried == tuple(range(2, 21))
    assert len(choice.silhouettes) == len(choice.stabilities) == len(choice.tried)


def test_the_same_rows_and_seed_give_the_same_choice_and_it_is_json() -> None:
    rows = np.random.default_rng(0).standard_normal((60, 3)) + np.repeat([[0], [9], [20]], 20, 0)
    choice = choose_clusters(rows, 7)
    assert choice == choose_clusters(rows, 7)
    assert choice.n_clusters == 3
    assert json.loads(json.dumps(asdict(choice)))["tried"] == list(range(2, 21))


def test_one_cloud_is_said_to_have_no_number_that_stands_out() -> None:
    rows = np.random.default_rng(0).standard_normal((200, 10))
    assert "a guess, as no number of clusters stands out" in choose_clusters(rows, 0).reason


@pytest.mark.parametrize("distinct", [1, 2, 3, 5])
def test_copies_of_a_few_rows_are_a_cluster_each(distinct: int) -> None:
    rows = np.repeat(np.arange(distinct, dtype=float)[:, None] ** 2, 30, axis=0)
    assert choose_clusters(rows, 0).n_clusters == distinct


@pytest.mark.parametrize("n_components", [1, 3, 12])
def test_rows_that_differ_by_rounding_only_count_as_one(n_components: int) -> None:
    generator = np.random.default_rng(0)
    rows = np.repeat(generator.standard_normal((4, n_components)) * 50, 6, axis=0)
    rows += 1e-6 * generator.standard_normal(rows.shape)
    choice = choose_clusters(rows, 0)
    assert choice.reason == "4: best silhouette, stable in 10 of 10 runs"
    assert choice.tried == (2, 3, 4)


def test_a_number_of_clusters_that_leaves_some_empty_is_not_tried() -> None:
    rows = np.repeat(np.arange(6.0)[:, None], 5, axis=0)
    assert choose_clusters(rows, 0).tried == (2, 3, 4, 5, 6)


def test_a_sweep_asks_at_each_number_whether_it_is_to_stop() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose_clusters(np.random.default_rng(0).standard_normal((50, 2)), 0, stop)


def test_a_high_silhouette_that_does_not_come_again_is_not_chosen() -> None:
    outliers, groups = Trial(2, 0.5, (0.1,) * 10), Trial(5, 0.3, (0.9,) * 9 + (0.5,))
    choice = choose_trial([outliers, groups])
    assert choice.reason == "5: best silhouette times stability, stable in 9 of 10 runs"


def test_silhouette_and_agreement_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    rows, labels = generator.standard_normal((80, 3)), generator.integers(0, 4, 80, np.int32)
    labels[0] = 4
    expected = silhouette_score(rows, labels)
    assert measure_silhouette(measure_distances(rows), labels) == pytest.approx(expected, abs=1e-6)
    other = generator.integers(0, 3, 80, np.int32)
    assert measure_agreement(labels, other) == pytest.approx(adjusted_rand_score(labels, other))
    assert measure_agreement(labels, labels) == 1
