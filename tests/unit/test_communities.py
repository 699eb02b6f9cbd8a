import os
import subprocess
import sys
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from shoal.shared.jobs import Algorithm, Level
from shoal.worker.clustering.centroids import measure_inertia
from shoal.worker.clustering.clustering import Clustering
from shoal.worker.clustering.clusters import Clusters
from shoal.worker.clustering.communities import choice as choices
from shoal.worker.clustering.communities import fit_communities

SIZES = (80, 60, 40)


def make_groups(
    sizes: tuple[int, ...] = SIZES, n_components: int = 12, far: float = 6.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Make clouds of these sizes far from each other, in mixed order."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = generator.standard_normal((len(sizes), n_components)) * far
    return centres[labels] + generator.standard_normal((len(labels), n_components)), labels


def label(found: Clusters, rows: NDArray[np.float64]) -> NDArray[np.int32]:
    return found.references.label(rows.astype(np.float32))


def test_groups_are_found_with_their_number_and_numbered_by_size() -> None:
    rows, truth = make_groups()
    found = fit_communities(rows, 0)
    labels = label(found, rows)
    np.testing.assert_array_equal(labels, truth)
    means = [rows[truth == group].mean(axis=0) for group in range(3)]
    np.testing.assert_allclose(found.centroids, means)
    assert found.inertia == pytest.approx(measure_inertia(rows, found.centroids, labels))
    assert found.choice is not None
    assert (found.choice.n_clusters, found.choice.stands_out) == (3, True)
    assert found.choice.reason.startswith("3: the best of the numbers tried (silhouette 0.9")


@pytest.mark.parametrize("n_rows", [2000, 2001, 21_000])
def test_more_rows_than_can_be_compared_have_the_same_groups(n_rows: int) -> None:
    rows, truth = make_groups((n_rows // 2, n_rows // 4, n_rows - n_rows // 2 - n_rows // 4))
    found = fit_communities(rows, 0)
    assert len(found.references.labels) <= 2000
    assert adjusted_rand_score(truth, label(found, rows)) == 1


def test_a_row_beyond_the_fit_belongs_to_its_nearest_point_however_far() -> None:
    rows, truth = make_groups()
    found = fit_communities(rows[::2], 0)
    assert adjusted_rand_score(truth[1::2], label(found, rows[1::2])) == 1
    assert label(found, rows[:1] * 1000) >= 0


@pytest.mark.parametrize("n_rows", [1, 2, 3, 7])
def test_few_different_rows_are_a_cluster_each(n_rows: int) -> None:
    rows = np.random.default_rng(0).standard_normal((n_rows, 5))
    for copies in (1, 30):
        found = fit_communities(np.repeat(rows, copies, axis=0), 0)
        assert (
            np.bincount(label(found, np.repeat(rows, copies, axis=0))).tolist() == [copies] * n_rows
        )
    assert found.choice is not None
    assert found.choice.n_clusters == n_rows
    assert not found.choice.tried


def test_rows_without_a_difference_are_one_cluster() -> None:
    found = fit_communities(np.zeros((50, 3)), 0)
    assert label(found, np.zeros((50, 3))).tolist() == [0] * 50
    assert found.choice == choices.NO_DIFFERENCE


@pytest.mark.parametrize("n_components", [1, 3, 12])
def test_rows_that_differ_by_rounding_only_count_as_one(n_components: int) -> None:
    generator = np.random.default_rng(0)
    rows = np.repeat(generator.standard_normal((4, n_components)) * 50, 6, axis=0)
    rows += 1e-6 * generator.standard_normal(rows.shape)
    found = fit_communities(rows, 0)
    assert found.choice is not None
    assert found.choice.reason == "4: there are only 4 different images"
    assert label(found, rows).reshape(4, 6).tolist() == [[n] * 6 for n in label(found, rows)[::6]]


@pytest.mark.parametrize("sizes", [(5, 5, 5), (4, 4, 4), (8, 7), (10, 10, 10, 10)])
def test_a_few_rows_have_groups_too(sizes: tuple[int, ...]) -> None:
    rows, truth = make_groups(sizes)
    assert adjusted_rand_score(truth, label(fit_communities(rows, 0), rows)) == 1


@pytest.mark.parametrize("n_rows", [180, 2100])
def test_groups_along_one_component_are_found(n_rows: int) -> None:
    centres = np.repeat([0.0, 10.0, 30.0], n_rows // 3)
    rows = (centres + np.random.default_rng(0).standard_normal(n_rows))[:, None]
    assert adjusted_rand_score(centres, label(fit_communities(rows, 0), rows)) == 1


@pytest.mark.parametrize("n_rows", [8, 9, 12, 16, 40, 300, 1000])
def test_one_cloud_is_a_guess_of_a_few_clusters_and_says_so(n_rows: int) -> None:
    rows = np.random.default_rng(0).standard_normal((n_rows, min(n_rows, 50)))
    choice = fit_communities(rows, 0).choice
    assert choice is not None
    assert not choice.stands_out
    assert choice.n_clusters <= 20
    assert "a guess, as no number of clusters stands out" in choice.reason


def test_one_dense_group_among_scattered_rows_stays_together() -> None:
    generator = np.random.default_rng(0)
    dense, scattered = (
        generator.standard_normal((300, 10)) * 0.1 + 3,
        generator.normal(0, 5, (40, 10)),
    )
    labels = label(found := fit_communities(np.vstack([dense, scattered]), 0), dense)
    assert len(found.centroids) > 1
    assert np.bincount(labels).max() >= 290


def test_mini_batches_take_the_number_and_the_choice() -> None:
    rows, _ = make_groups()
    clustering = Clustering(algorithm=Algorithm.MINIBATCH, n_clusters="auto")
    found = clustering.fit(rows, rows)
    assert len(found.centroids) == 3
    assert found.choice == fit_communities(rows, 0).choice
    assert not len(found.references.labels)


def test_another_level_is_taken_if_there_is_one() -> None:
    # Two far pairs of near groups: two clusters are as good as four.
    generator = np.random.default_rng(0)
    centres = np.repeat(generator.standard_normal((2, 12)) * 9, 2, axis=0)
    centres += generator.standard_normal((4, 12)) * 2.2
    truth = np.repeat(np.arange(4), 50)
    rows = centres[truth] + generator.standard_normal((200, 12))
    main = fit_communities(rows, 0).choice
    assert main is not None
    other = Level.COARSER if main.coarser else Level.FINER
    wanted = main.coarser or main.finer
    assert {main.n_clusters, wanted} == {2, 4}
    found = fit_communities(rows, 0, other)
    assert found.choice is not None
    assert len(found.centroids) == found.choice.n_clusters == wanted
    assert (found.choice.coarser, found.choice.finer) == (main.coarser, main.finer)
    assert f"{other} than the best number, {main.n_clusters}" in found.choice.reason


def test_a_level_that_is_not_there_is_the_best_number() -> None:
    rows, _ = make_groups()
    for level in Level:
        assert fit_communities(rows, 0, level).choice == fit_communities(rows, 0).choice


def test_a_fit_stops_between_its_steps() -> None:
    rows, _ = make_groups()
    calls: list[None] = []
    fit_communities(rows, 0, None, lambda: calls.append(None))
    assert len(calls) > 30
    for last in (1, 10, len(calls) - 1):
        # Each of these returns; the call after them raises.
        checkpoint = Mock(side_effect=[*[None] * last, KeyboardInterrupt])
        with pytest.raises(KeyboardInterrupt):
            fit_communities(rows, 0, None, checkpoint)


PROGRAM = """
import hashlib, numpy as np
from shoal.worker.clustering.communities import fit_communities
for n, far in ((300, 1.5), (2100, 1.5), (60, 2.5)):
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((9, 40)) * far
    rows = centres[generator.integers(0, 9, n)] + generator.standard_normal((n, 40))
    # Sums of few small numbers, so that all processors have the same rows.
    found = fit_communities(np.round(rows, 3), 5)
    labels = found.references.label(rows)
    print(hashlib.sha256(labels.tobytes()).hexdigest(), found.choice.n_clusters)
"""
MACHINES: tuple[dict[str, str], ...] = (
    {},
    {"PYTHONHASHSEED": "2", "OPENBLAS_CORETYPE": "Nehalem", "OPENBLAS_NUM_THREADS": "2"},
    {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX AVX2 FMA3"},
)


def test_processes_threads_and_instruction_sets_change_no_label() -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            env=os.environ | machine,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for machine in MACHINES
    }
    assert len(printed) == 1


def test_the_order_of_rows_that_are_equally_near_is_theirs() -> None:
    # A grid has many neighbours at the same distance.
    rows = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=-1).reshape(-1, 2)
    first = label(fit_communities(rows, 0), rows)
    for step in (1.0, 1 / 3, 1e-3, 7e5):
        np.testing.assert_array_equal(label(fit_communities(rows * step, 0), rows * step), first)
    single = rows.astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(label(fit_communities(single, 0), rows), first)
