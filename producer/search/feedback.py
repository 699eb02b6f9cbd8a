"""Relevance feedback: images like those that somebody likes, and unlike those that they do not."""

import numpy as np
from numpy.typing import NDArray

from shoal.producer.search.neighbours import Points, measure_distances

# Share of the dislikes' mean that Rocchio's query moves away from, as in Manning, Raghavan and
# Schütze, "Introduction to Information Retrieval" (2008), section 9.1.1: 0.15 beside 0.75.
AWAY = 0.15 / 0.75
# Weight of relevance against diversity.
RELEVANCE_WEIGHT = 0.9
# So many are chosen by diversity, among ten times as many; it takes their product.
MOST_DIVERSE = 1000
MOST_COMPARED = 10 * MOST_DIVERSE
# Among so many, the median distance is measured; it takes their square.
MOST_MEASURED = 1000

Scores = NDArray[np.float64]


def score_relevance(points: Points, likes: Points, dislikes: Points) -> Scores:
    """Score by the nearest like, and that against the nearest dislike (Giacinto 2007).

    His ratio of the two distances alone ranks by where the dislikes happen to be, and lowered
    precision: here it lengthens the distance to the nearest like, and little unless a dislike is
    about as near.

    Args:
        points: Images to score, shape (n_images, n_components).
        likes: At least one, shape (n_likes, n_components).
        dislikes: Without any, the nearest like alone counts.

    Returns:
        From 0 to 1, the most relevant; 1/2 at the median. Shape (n_images,).
    """
    lengths = measure_distances(points, likes).min(axis=1)
    if len(dislikes):
        far = measure_distances(points, dislikes).min(axis=1)
        is_apart = far > 0
        ratios = np.divide(lengths, far, out=np.zeros(len(points)), where=is_apart)
        # What is the same as a dislike is not wanted, even if it is the same as a like, too.
        lengths = np.where(is_apart, lengths * (1 + ratios**2), np.inf)
    scale = float(np.median(lengths)) if len(lengths) else 1.0
    if not 0 < scale < np.inf:
        scale = 1.0
    scores: Scores = scale / (scale + lengths)
    return scores


def move_query(likes: Points, dislikes: Points) -> Points:
    """Move the mean of the likes away from that of the dislikes (Rocchio 1971).

    Returns:
        One point, shape (1, n_components): weights of the means add up to 1, so that a distance to
        it means the same as one to an image.
    """
    centre: Points = likes.mean(axis=0, keepdims=True)
    if not len(dislikes):
        return centre
    away: Points = centre - dislikes.mean(axis=0, keepdims=True)
    return centre + np.float32(AWAY) * away


def diversify(points: Points, relevance: Scores, count: int) -> NDArray[np.intp]:
    """Choose images by maximal marginal relevance (Carbonell and Goldstein 1998).

    Each next image is relevant, and not like those that were chosen before. After the first
    thousand, relevance alone counts.

    Args:
        points: Images to choose from, the nearest first, shape (n_images, n_components).
        relevance: Of each, 0 to 1.
        count: Most images to choose.

    Returns:
        Their numbers in ``points``, the first chosen first.
    """
    if not len(points):
        return np.empty(0, np.intp)
    compared = points[:MOST_COMPARED].astype(np.float64)
    some = compared[:: -(-len(compared) // MOST_MEASURED)]
    # The likeness of two images is 1/2 at the median distance.
    scale = float(np.median(measure_distances(some, some))) or 1.0
    nearest, left = np.zeros(len(compared)), np.ones(len(compared), bool)
    chosen = list[int]()
    for _ in range(min(count, len(compared), MOST_DIVERSE)):
        marginal = RELEVANCE_WEIGHT * relevance[:MOST_COMPARED] - (1 - RELEVANCE_WEIGHT) * nearest
        best = int(np.argmax(np.where(left, marginal, -np.inf)))
        chosen.append(best)
        left[best] = False
        # A column at a time: all distances of ten thousand images take a gigabyte.
        distances = measure_distances(compared, compared[best : best + 1])[:, 0]
        nearest = np.maximum(nearest, scale / (scale + distances))
    others = np.argsort(-relevance, kind="stable")
    rest = others[~np.isin(others, chosen)]
    return np.concatenate([np.array(chosen, np.intp), rest])[:count]
