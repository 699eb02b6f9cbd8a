from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from shoal.worker.model.statistics import FeatureStatistics


def random_features(n_samples: int, n_features: int = 12) -> NDArray[np.uint8]:
    """Bytes whose first three columns are constant: black, grey, white."""
    features = np.random.default_rng(0).integers(0, 256, (n_samples, n_features), np.uint8)
    features[:, :3] = [0, 77, 255]
    return features


def test_sums_are_those_worked_out_by_hand() -> None:
    statistics = FeatureStatistics.of(np.array([[255, 1], [255, 3]], np.uint8))
    assert statistics.n_samples == 2
    assert statistics.total.tolist() == [510, 4]
    assert statistics.total_of_squares.tolist() == [130050, 10]
    assert statistics.mean().tolist() == [255, 2]
    assert statistics.scale().tolist() == [1, 1]


@pytest.mark.parametrize("n_samples", [1, 2, 1000])
def test_mean_and_scale_are_those_of_standard_scaler(n_samples: int) -> None:
    features = random_features(n_samples)
    statistics, scaler = FeatureStatistics.of(features), StandardScaler().fit(features)
    np.testing.assert_allclose(statistics.mean(), scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(statistics.scale(), scaler.scale_, rtol=1e-12)


def test_rounding_of_a_constant_float_is_no_deviation() -> None:
    features = np.full((1000, 2), 0.1, np.float32)
    features[:, 1] += np.linspace(0, 1e-3, 1000, dtype=np.float32)
    halves = FeatureStatistics.of(features[:313]) + FeatureStatistics.of(features[313:])
    scale = halves.scale(noise=1e-10)
    assert scale[0] == 1
    np.testing.assert_allclose(scale[1], features[:, 1].std(dtype=np.float64), rtol=1e-3)


def test_one_deviating_pixel_among_a_million_is_not_lost_to_rounding() -> None:
    n_samples = 1_000_000
    nearly_white = FeatureStatistics(
        n_samples, np.array([255.0 * n_samples - 1]), np.array([255.0**2 * n_samples - 509])
    )
    expected = np.sqrt((n_samples - 1) / n_samples**2)
    np.testing.assert_allclose(nearly_white.scale(), [expected], rtol=1e-5)


def test_batches_add_up_to_exactly_the_whole() -> None:
    features = random_features(1000)
    whole = FeatureStatistics.of(features)
    first, *others = (
        FeatureStatistics.of(features[a:b]) for a, b in pairwise([0, 0, 7, 600, 1000])
    )
    added = sum(reversed(others), start=first)
    assert added.n_samples == 1000
    assert np.array_equal(added.total, whole.total)
    assert np.array_equal(added.total_of_squares, whole.total_of_squares)


@pytest.mark.parametrize("n_samples", [66_051, 66_052])
def test_sums_of_white_images_do_not_overflow(n_samples: int) -> None:
    statistics = FeatureStatistics.of(np.full((n_samples, 1), 255, np.uint8))
    assert statistics.total.tolist() == [255 * n_samples]
    assert statistics.total_of_squares.tolist() == [255**2 * n_samples]


@pytest.mark.parametrize(
    ("features", "n_bytes"),
    [
        (random_features(50), 4),
        (random_features(50).astype(np.float32) / 7, 8),
        # The sums of their squares are just below 2**32, and above.
        (np.full((66_051, 12), 255, np.uint8), 4),
        (np.full((66_052, 12), 255, np.uint8), 8),
        (-np.ones((3, 12), np.float32), 8),
        (np.empty((0, 12), np.uint8), 4),
    ],
)
def test_statistics_survive_as_bytes_in_half_the_room_where_they_are_small_integers(
    features: NDArray[Any], n_bytes: int
) -> None:
    statistics = FeatureStatistics.of(features)
    content = statistics.to_bytes()
    read = FeatureStatistics.from_bytes(content)
    assert len(content) == n_bytes * (1 + 12 + 12)
    assert read.n_samples == len(features)
    assert np.array_equal(read.total, statistics.total)
    assert np.array_equal(read.total_of_squares, statistics.total_of_squares)


@settings(max_examples=30)
@given(st.binary(max_size=80) | st.lists(st.floats()).map(lambda row: np.array(row).tobytes()))
def test_any_bytes_are_statistics_or_a_value_error(content: bytes) -> None:
    with suppress(ValueError):
        read = FeatureStatistics.from_bytes(content)
        assert read.total.shape == read.total_of_squares.shape
