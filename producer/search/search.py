"""The two uses: search by examples, and recommendation by what is liked and what is not."""

import math
import os
from collections.abc import Sequence
from numbers import Integral

import numpy as np

from shoal.producer.results import JobResults
from shoal.producer.search.examples import Example, Examples, Given
from shoal.producer.search.feedback import diversify, move_query, score_relevance
from shoal.producer.search.groups import Places
from shoal.producer.search.neighbours import NearestImages, Points, measure_distances
from shoal.producer.search.places import PlacedImages
from shoal.producer.search.projection import Workers, project_images
from shoal.shared.errors import UsageError
from shoal.shared.findings import Match

# Among so many images, or ten times as many as are wanted, those to recommend are chosen.
POOL = 200


def search_images(
    job: JobResults,
    given: Sequence[Given],
    workers: Workers,
    *,
    count: int = 20,
    max_distance: float | None = None,
    duplicates: bool = False,
) -> list[Match]:
    """Find the images of a job that are most like the given ones; see ``Job.search``."""
    images, examples = _open(job, given, workers, count)
    most = math.inf if max_distance is None else float(max_distance)
    if not most >= 0:
        raise UsageError(f"`max_distance` is {max_distance}: give 0 or more.")
    nearest = NearestImages(
        _locate(images, examples, workers),
        count,
        images.groups(duplicates=duplicates),
        most,
        _places_of(examples),
    )
    images.see_all(nearest)
    return images.matches(nearest.places, nearest.distances)


def recommend_images(
    job: JobResults,
    like: Sequence[Given],
    dislike: Sequence[Given],
    workers: Workers,
    *,
    count: int = 20,
    rocchio: bool = False,
    duplicates: bool = False,
) -> list[Match]:
    """Find images of a job that somebody may like; see ``Job.recommend``."""
    for name, several in (("like", like), ("dislike", dislike)):
        # The bytes of one file would be taken for numbers of images.
        if isinstance(several, (str, bytes, os.PathLike)):
            raise UsageError(f"`{name}` is a list of images: put the one into [ ].")
    images, examples = _open(job, [*like, *dislike], workers, count)
    if not like:
        raise UsageError("Give at least one image that is liked (`like`).")
    points = _locate(images, examples, workers)
    likes, dislikes = points[: len(like)], points[len(like) :]
    queries = move_query(likes, dislikes) if rocchio else likes
    nearest = NearestImages(
        queries,
        max(POOL, 10 * count),
        images.groups(duplicates=duplicates),
        left_out=_places_of(examples),
    )
    images.see_all(nearest)
    # Rocchio's query has moved away from the dislikes already.
    others = dislikes[:0] if rocchio else dislikes
    relevance = score_relevance(nearest.points, queries, others)
    chosen = diversify(nearest.points, relevance, count)
    distances = measure_distances(nearest.points[chosen], likes).min(axis=1)
    return images.matches(nearest.places[chosen], distances)


def _open(
    job: JobResults, given: Sequence[Given], workers: Workers, count: int
) -> tuple[PlacedImages, list[Example]]:
    """Open a finished job, and look up what was given."""
    if not isinstance(count, Integral) or count < 1:
        raise UsageError(f"`count` is {count}: give a whole number, 1 or more.")
    images = PlacedImages(job, job.summary().n_components)
    return images, Examples(job, workers.sweeper.settings).find(given)


def _places_of(examples: Sequence[Example]) -> Places:
    return np.array([e.place for e in examples if e.place is not None], np.int64)


def _locate(images: PlacedImages, examples: Sequence[Example], workers: Workers) -> Points:
    """Return the coordinates of examples, shape (n_examples, n_components)."""
    known = [example.place for example in examples if example.place is not None]
    new = [(example.name, example.read) for example in examples if example.read]
    points = np.empty((len(examples), images.n_components), np.float32)
    is_new = np.array([example.place is None for example in examples])
    points[~is_new] = images.points(known)
    if new:
        read = ((name, read_image()) for name, read_image in new)
        points[is_new] = project_images(images.job, read, workers)
    return points
