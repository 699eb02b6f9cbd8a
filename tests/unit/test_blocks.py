"""Blocks: no extractor of a combination may drown another."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from shoal.worker.clustering.clustering import Clustering
from shoal.worker.model.blocks import largest_deviation, weigh_blocks
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


def fit_labels(rows, widths):
    statistics = FeatureStatistics.of(rows)
    mean, scale = statistics.mean(), statistics.scale()
    scale = weigh_blocks(rows, mean, scale, widths)
    model, _ = fit_model(rows, mean, scale, Clustering(n_clusters=2), 10)
    return model.label(rows).labels


def test_a_loud_block_does_not_hide_the_telling_one(telling_and_loud) -> None:
    rows, classes = telling_and_loud
    assert adjusted_rand_score(classes, fit_labels(rows, ())) < 0.1
    assert adjusted_rand_score(classes, fit_labels(rows, WIDTHS)) > 0.9


def test_each_block_has_the_same_largest_deviation_afterwards(telling_and_loud) -> None:
    rows, _ = telling_and_loud
    statistics = FeatureStatistics.of(rows)
    mean = statistics.mean()
    scale = weigh_blocks(rows, mean, statistics.scale(), WIDTHS)
    scaled = (rows - mean) / scale
    for block in np.split(scaled, [WIDTHS[0]], axis=1):
        largest = PCA(1).fit(block).explained_variance_[0]
        np.testing.assert_allclose(largest, 1, rtol=0.02)


def test_one_block_is_left_as_it_is(telling_and_loud) -> None:
    rows, _ = telling_and_loud
    scale = np.ones(rows.shape[1])
    assert weigh_blocks(rows, rows.mean(axis=0), scale, (rows.shape[1],)) is scale


def test_a_block_that_never_differs_has_no_deviation_to_divide_by() -> None:
    rows = np.full((10, 3), 7, np.float32)
    assert largest_deviation(rows, np.full(3, 7.0), np.ones(3)) == 1
