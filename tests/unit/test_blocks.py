"""Blocks: no extractor of a combination may drown another."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from shoal.worker.clustering.clustering import Clustering
from shoal.worker.model.blocks import choose_scale, largest_deviation
from shoal.worker.model.fitting import fit_model
from shoal.worker.model.statistics import FeatureStatistics

WIDTHS = (40, 400)


@pytest.fixture
def telling_and_loud():
    """Rows whose first block tells two classes apart, and whose second is 400 times one number."""
    generator = np.random.default_rng(0)
    classes = np.repeat([0, 1], 200)
    telling = generator.normal(size=(400, WIDTHS[0])) + 2 * classes[:, None]
    loud = generator.normal(size=(400, 1)) + 0.1 * generator.normal(size=(400, WIDTHS[1]))
    return np.hstack([telling, loud]).astype(np.float32), classes


def fit_labels(rows, scale):
    model, _ = fit_model(rows, rows.mean(axis=0), scale, Clustering(n_clusters=2), 10)
    return model.label(rows).labels


def test_a_loud_block_does_not_hide_the_telling_one(telling_and_loud) -> None:
    rows, classes = telling_and_loud
    statistics = FeatureStatistics.of(rows)
    scale = choose_scale(rows, statistics, "hog+color", WIDTHS)
    assert adjusted_rand_score(classes, fit_labels(rows, statistics.scale())) < 0.1
    assert adjusted_rand_score(classes, fit_labels(rows, scale)) > 0.9


@pytest.mark.parametrize(
    ("features", "deviations"), [("hog+color", (1, 1)), ("color+embedding", (1, 2))]
)
def test_each_block_has_the_largest_deviation_of_its_weight(
    telling_and_loud, features: str, deviations: tuple[int, int]
) -> None:
    rows, _ = telling_and_loud
    scale = choose_scale(rows, FeatureStatistics.of(rows), features, WIDTHS)
    scaled = (rows - rows.mean(axis=0)) / scale
    for block, deviation in zip(np.split(scaled, [WIDTHS[0]], axis=1), deviations, strict=True):
        largest = PCA(1).fit(block).explained_variance_[0]
        np.testing.assert_allclose(largest, deviation**2, rtol=0.02)


def test_one_block_is_standardized_and_rows_of_length_one_are_not(telling_and_loud) -> None:
    rows, _ = telling_and_loud
    statistics = FeatureStatistics.of(rows)
    whole = (rows.shape[1],)
    assert np.array_equal(choose_scale(rows, statistics, "color", whole), statistics.scale())
    assert (choose_scale(rows, statistics, "embedding", whole) == 1).all()


def test_a_block_that_never_differs_has_no_deviation_to_divide_by() -> None:
    rows = np.full((10, 3), 7, np.float32)
    assert largest_deviation(rows, np.full(3, 7.0), np.ones(3)) == 1
