"""Relevance feedback: hand-worked points, and what must hold for any."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from shoal.producer.search import feedback
from shoal.producer.search.feedback import diversify, move_query, score_relevance


def line(*positions: float) -> Any:
    """Points on a line."""
    return np.array(positions, np.float32)[:, np.newaxis]


NONE = line()


def rank(points: Any, likes: Any, dislikes: Any) -> list[int]:
    order: list[int] = np.argsort(-score_relevance(points, likes, dislikes), kind="stable").tolist()
    return order


def test_without_dislikes_the_nearest_like_counts() -> None:
    assert rank(line(5, 1, 9.5, 3), line(0, 10), NONE) == [2, 1, 3, 0]


def test_what_is_nearer_to_a_dislike_comes_after_what_is_not() -> None:
    # Both are 3 from the like; the second is 1 from the dislike.
    assert rank(line(-3, 3), line(0), line(4)) == [0, 1]


def test_a_dislike_far_from_everything_changes_no_order() -> None:
    points = line(*np.random.default_rng(0).uniform(-10, 10, 50))
    assert rank(points, line(0), line(1e4)) == rank(points, line(0), NONE)


def test_what_is_the_same_as_a_dislike_comes_last() -> None:
    scores = score_relevance(line(0, 5, 1), line(0), line(0, 5))
    assert scores.tolist()[:2] == [0, 0]
    assert scores[2] > 0


def test_scores_are_from_0_to_1() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        points, likes, dislikes = (
            random.normal(size=(n, 3)).astype(np.float32) for n in (30, 2, 2)
        )
        scores = score_relevance(points, likes, dislikes)
        assert ((scores >= 0) & (scores <= 1)).all()
    assert score_relevance(NONE, line(0), line(1)).shape == (0,)
    assert score_relevance(line(0, 0), line(0), NONE).tolist() == [1, 1]


def test_a_query_moves_from_the_mean_of_the_likes_away_from_the_dislikes() -> None:
    assert move_query(line(1, 3), NONE).tolist() == [[2]]
    np.testing.assert_allclose(move_query(line(1, 3), line(5, 9)), [[2 - 0.2 * 5]])


def test_the_first_is_the_most_relevant_and_near_copies_of_it_wait() -> None:
    points = line(1, 1.001, 1.002, -1.1)
    relevance = score_relevance(points, line(0), NONE)
    assert diversify(points, relevance, 4).tolist()[:2] == [0, 3]


def test_each_image_is_chosen_once_and_no_more_than_wanted() -> None:
    points = line(*range(10))
    relevance = score_relevance(points, line(0), NONE)
    assert sorted(diversify(points, relevance, 20)) == list(range(10))
    assert len(diversify(points, relevance, 3)) == 3
    assert diversify(NONE, np.empty(0), 3).tolist() == []
    same = np.zeros((4, 2), np.float32)
    assert diversify(same, np.full(4, 0.5), 4).tolist() == [0, 1, 2, 3]


def test_beyond_what_is_compared_relevance_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "MOST_DIVERSE", 3)
    monkeypatch.setattr(feedback, "MOST_COMPARED", 6)
    relevance = np.linspace(1, 0, 12)
    chosen = diversify(line(*range(12)), relevance, 11).tolist()
    assert max(chosen[:3]) < 6
    assert chosen[3:] == [number for number in range(12) if number not in chosen[:3]][:8]


def test_choosing_among_many_takes_no_memory_for_each_pair() -> None:
    points = np.random.default_rng(0).normal(size=(4000, 2)).astype(np.float32)
    relevance = score_relevance(points, line(0, 0).reshape(1, 2), points[:0])
    tracemalloc.start()
    try:
        diversify(points, relevance, 10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * 2**20  # all pairs take 128 MB
