"""Communities of a graph of neighbours, as many as stand out: what ``clusters="auto"`` finds."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shoal.shared.jobs import Level
from shoal.worker import Checkpoint
from shoal.worker.clustering.clusters import Clusters, number_references
from shoal.worker.clustering.communities.choice import NO_GROUPS, choose_trial, describe_different
from shoal.worker.clustering.communities.graph import link_neighbours
from shoal.worker.clustering.communities.points import choose_points
from shoal.worker.clustering.communities.silhouette import least_silhouette
from shoal.worker.clustering.communities.trials import run_trials
from shoal.worker.clustering.references import References

# Fewer points have no groups: each is a cluster.
LEAST_POINTS = 8

Float64 = NDArray[np.float64]


def fit_communities(
    coordinates: Float64,
    random_state: int,
    level: Level | None = None,
    checkpoint: Checkpoint = lambda: None,
) -> Clusters:
    """Find communities, and how many.

    At most 2,000 points, which stand for the rows, are linked with their neighbours; partitions of
    this graph are scored. Each row belongs to the cluster of its nearest point.

    Args:
        coordinates: Principal components, shape (n_rows, n_components).
        random_state: Seed.
        level: Whether to take fewer or more clusters, if such a number is nearly as good.
        checkpoint: Called between steps, most of which take at most a second; may raise to stop.

    Returns:
        Clusters by falling size, with references and with the choice.
    """
    points = choose_points(coordinates, random_state, checkpoint)
    n_points = len(points.values)
    if n_points < LEAST_POINTS:
        labels, choice = np.arange(n_points, dtype=np.int32), describe_different(n_points)
    else:
        graph = link_neighbours(points.squares)
        checkpoint()
        trials = run_trials(points, graph, random_state, checkpoint)
        labels, choice = np.zeros(n_points, np.int32), NO_GROUPS
        if trials:
            labels, choice = choose_trial(trials, least_silhouette(points.values.shape[1]), level)
    radii = np.full(n_points, np.inf, np.float32)
    references = References(points.coordinates, labels, radii)
    return replace(number_references(coordinates, references, checkpoint), choice=choice)
