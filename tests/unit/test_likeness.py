"""Likeness of features, and numbers of clusters by all images."""

import tracemalloc

import numpy as np
import pytest

from shoal.worker.model.likeness import Likeness
from shoal.worker.model.statistics import FeatureStatistics


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(4000, 51)).astype(np.float32)


def measure(rows, others, pairs, features="color", widths=(51,)):
    likeness = Likeness(FeatureStatistics.of(rows), features, widths)
    return likeness.measure(rows, others, np.asarray(pairs))


def test_equal_rows_are_not_different_and_any_two_have_a_difference_of_one_in_the_mean(rows):
    same = measure(rows, rows, np.arange(4000))
    assert same.tolist() == [0] * 4000
    other = measure(rows, rows, np.roll(np.arange(4000), 1))
    assert other.mean() == pytest.approx(1, abs=0.02)


def test_the_scale_of_a_standardized_feature_does_not_matter(rows):
    pairs = np.roll(np.arange(4000), 1)
    before = measure(rows, rows, pairs)
    rows[:, 7] *= 1000
    np.testing.assert_allclose(measure(rows, rows, pairs), before, rtol=1e-4)


def test_constant_features_make_nothing_alike(rows):
    pairs = np.roll(np.arange(4000), 1)
    expected = measure(rows, rows, pairs, "hog")
    padded = np.concatenate([rows, np.full((4000, 999), 0.1, np.float32)], axis=1)
    found = measure(padded, padded, pairs, "hog", (1050,))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_of_several_extractors_the_most_different_one_counts(rows):
    pairs = np.roll(np.arange(4000), 1)
    both = np.concatenate([rows, rows], axis=1)
    others = both.copy()
    others[:, 51:] = both[np.argsort(pairs), 51:]  # the second block is equal, the first is not
    alone = measure(rows, rows, pairs)
    found = Likeness(FeatureStatistics.of(both), "color+hog", (51, 51)).measure(both, others, pairs)
    np.testing.assert_allclose(found, alone, rtol=1e-6)


def test_where_all_rows_are_equal_none_is_different():
    rows = np.full((50, 51), 3, np.float32)
    assert measure(rows, rows, [0] * 50).tolist() == [0] * 50


def test_bytes_are_compared_without_overflow():
    rows = np.array([[0] * 51, [255] * 51], np.uint8)
    assert measure(rows, rows, [1, 0], "pixels").tolist() == [2, 2]


def test_many_features_take_no_more_memory_than_few():
    rows = np.zeros((300, 128 * 128 * 3), np.uint8)
    likeness = Likeness(FeatureStatistics.of(rows[:2]), "pixels", (rows.shape[1],))
    tracemalloc.start()
    try:
        likeness.measure(rows, rows[:1], np.zeros(300, int))
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
