import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score, silhouette_score

from shoal.shared.jobs import Level
from shoal.worker.clustering.communities.choice import choose_trial
from shoal.worker.clustering.communities.graph import link_neighbours
from shoal.worker.clustering.communities.partitions import (
    find_communities,
    fold,
    measure_modularity,
    number_by_first,
)
from shoal.worker.clustering.communities.points import choose_points, measure_squares
from shoal.worker.clustering.communities.silhouette import measure_distances, measure_silhouette
from shoal.worker.clustering.communities.trials import Trial


def go_on() -> None:
    """Never stop."""


def make_trial(n_clusters: int, silhouette: float, stability: float = 1.0) -> Trial:
    """Make a trial whose modularity counts as 1."""
    labels = np.arange(n_clusters, dtype=np.int32)
    return Trial(labels, 0, False, 1.0, silhouette, stability)


def test_the_best_of_clear_numbers_is_chosen_with_the_levels_beside_it() -> None:
    silhouettes = {2: 0.25, 3: 0.2, 6: 0.3, 7: 0.27, 11: 0.26, 12: 0.25, 30: 0.23}
    trials = [make_trial(n, silhouette) for n, silhouette in silhouettes.items()]
    labels, choice = choose_trial(trials, 0.16)
    assert len(labels) == choice.n_clusters == 6
    assert choice.reason == "6: the best of the numbers tried (silhouette 0.30, stability 1.00)"
    assert (choice.coarser, choice.finer, choice.stands_out) == (2, 11, True)
    assert choice.tried == tuple(silhouettes)
    assert choice.scores == choice.silhouettes == tuple(silhouettes.values())
    finer = choose_trial(trials, 0.16, Level.FINER)[1]
    words = "11: finer than the best number, 6 (silhouette 0.26, stability 1.00)"
    assert (finer.n_clusters, finer.reason) == (11, words)
    assert json.loads(json.dumps(asdict(choice)))["finer"] == 11


def test_of_scores_that_tie_the_largest_number_is_chosen() -> None:
    trials = [make_trial(2, 0.30), make_trial(9, 0.29), make_trial(40, 0.28)]
    choice = choose_trial(trials, 0.16)[1]
    words = "9: the largest of the numbers that score best (silhouette 0.29, stability 1.00)"
    assert (choice.n_clusters, choice.reason) == (9, words)


@pytest.mark.parametrize(("silhouette", "stability"), [(0.15, 1.0), (0.5, 0.7)])
def test_clusters_that_touch_or_do_not_come_again_are_a_guess_of_few(
    silhouette: float, stability: float
) -> None:
    trials = [make_trial(4, silhouette * 0.8, stability), make_trial(200, silhouette, stability)]
    choice = choose_trial(trials, 0.16)[1]
    assert (choice.n_clusters, choice.stands_out) == (4, False)
    assert choice.reason.startswith("4: a guess, as no number of clusters stands out (silhouette")


def test_where_no_score_is_above_0_the_smallest_number_is_a_guess() -> None:
    assert choose_trial([make_trial(3, -0.1), make_trial(9, -0.2)], 0.16)[1].n_clusters == 3


def test_links_are_weighed_by_the_neighbours_that_both_ends_have() -> None:
    # On a line, in the order of their distance; a point has 3 neighbours and itself.
    line = np.array([[0.0], [1], [3], [6], [10], [15]])
    graph = link_neighbours(measure_squares(line)).toarray()
    np.testing.assert_array_equal(graph, graph.T)
    # 0, 1 and 3 have the list 0, 1, 3, 6; that of 6 is 1, 3, 6, 10: three of five are shared.
    assert graph[0].tolist() == [0, 1, 1, 3 / 5, 0, 0]
    # 10 and 15 have the list 3, 6, 10, 15.
    assert graph[5].tolist() == [0, 0, 2 / 6, 3 / 5, 1, 0]


def test_of_neighbours_that_are_equally_near_the_first_count() -> None:
    corners = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1], [0, 0]])
    graph = link_neighbours(measure_squares(corners)).toarray()
    assert np.count_nonzero(graph[4]) >= 3
    np.testing.assert_array_equal(graph, link_neighbours(measure_squares(corners * 7)).toarray())


def test_communities_of_two_cliques_are_the_cliques_even_if_a_point_has_no_link() -> None:
    weights = np.zeros((9, 9))
    weights[:4, :4] = weights[4:8, 4:8] = 1
    weights[3, 4] = weights[4, 3] = 0.1
    np.fill_diagonal(weights, 0)
    labels = find_communities(csr_array(weights), 1.0, 0)
    assert labels.tolist() == [0] * 4 + [1] * 4 + [2]
    # All but 0.2 of 24.2 lies within; each clique has half of the weight.
    assert measure_modularity(csr_array(weights), labels) == pytest.approx(24 / 24.2 - 0.5)


def test_folding_is_the_hierarchy_of_ward() -> None:
    values = np.random.default_rng(0).standard_normal((30, 4))
    for labels in fold(values, np.arange(30, dtype=np.int32)):
        expected = AgglomerativeClustering(int(labels.max()) + 1).fit(values).labels_
        assert adjusted_rand_score(expected, labels) == 1
    assert labels.max() == 1


def test_clusters_are_numbered_by_their_first_points() -> None:
    assert number_by_first(np.array([7, 7, 2, 9, 2])).tolist() == [0, 0, 1, 2, 1]


@pytest.mark.parametrize(("n_components", "metric"), [(3, "euclidean"), (9, "cosine")])
def test_the_silhouette_is_that_of_scikit_learn(n_components: int, metric: str) -> None:
    generator = np.random.default_rng(0)
    rows, labels = generator.standard_normal((80, n_components)), generator.integers(0, 4, 80)
    rows, labels[0] = np.rint(1000 * rows), 4
    distances = measure_distances(rows, measure_squares(rows))
    found = measure_silhouette(distances, labels.astype(np.int32))
    assert found == pytest.approx(silhouette_score(rows, labels, metric=metric), abs=1e-6)


def test_near_copies_are_one_point_and_what_is_only_near_is_not() -> None:
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((200, 20))
    copies = rows[:50] + 0.05 * generator.standard_normal((50, 20))
    points = choose_points(np.vstack([rows, copies]), 0, go_on)
    np.testing.assert_allclose(points.coordinates, rows, atol=1e-4)
    assert (points.values == np.rint(points.values)).all()
    assert points.squares.shape == (200, 200)


def test_of_many_rows_the_points_are_centres_of_a_sample() -> None:
    rows = np.random.default_rng(0).standard_normal((3000, 8))
    points, again = (choose_points(rows, seed, go_on) for seed in (3, 3))
    assert 900 < len(points.values) <= 1000
    np.testing.assert_array_equal(points.values, again.values)
    assert not np.array_equal(points.values, choose_points(rows, 4, go_on).values)
