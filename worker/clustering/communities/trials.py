"""Trials: partitions of the same points into few and many clusters, and how good each is."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array
from sklearn.metrics import adjusted_mutual_info_score

from shoal.shared.cores import count_cores
from shoal.worker import Checkpoint
from shoal.worker.clustering.communities.partitions import (
    Float64,
    Labels,
    find_communities,
    fold,
    measure_modularity,
)
from shoal.worker.clustering.communities.points import Points
from shoal.worker.clustering.communities.silhouette import measure_distances, measure_silhouette

RESOLUTIONS = np.geomspace(0.02, 40, 32).tolist()
# The mean cluster has at least so many points.
LEAST_POINTS = 4
RUNS = 6
RUN_SHARE = 0.8
# Of the best score that is possible: below it, stability is not measured.
HOPELESS = 0.5


@dataclass(frozen=True)
class Trial:
    """A partition, and how good it is.

    Attributes:
        labels: Cluster of each point, shape (n_points,).
        resolution: Number of the resolution at which it was found, or that was folded.
        is_folded: Whether it was made by joining clusters of that resolution.
        modularity: At resolution 1, at most 1.
        silhouette: Mean silhouette by cosines, -1 to 1.
        stability: Mean adjusted mutual information with the partitions of random parts, at most 1.
    """

    labels: Labels
    resolution: int
    is_folded: bool
    modularity: float
    silhouette: float = 0.0
    stability: float = 1.0

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.labels.max()) + 1

    @property
    def score(self) -> float:
        """How good it is, 0 to 1."""
        parts = self.silhouette, self.stability, self.modularity
        silhouette, stability, modularity = (max(part, 0.0) for part in parts)
        return float(silhouette * stability * modularity**0.25)


def run_trials(
    points: Points, graph: csr_array, random_state: int, checkpoint: Checkpoint
) -> list[Trial]:
    """Find partitions of a graph, from few clusters to a quarter as many as there are points.

    Communities are found at rising resolutions, and the most modular ones are joined to fewer. Of
    partitions into equally many clusters, the most modular one counts.

    Args:
        points: At least some.
        graph: Their weights, shape (n_points, n_points).
        random_state: Seed.
        checkpoint: Called between steps; may raise to stop.

    Returns:
        By rising number of clusters, at least 2. Those that cannot be the best are left out; there
        may be none.
    """
    seeds = np.random.default_rng(random_state).integers(2**32, size=RUNS + 1).tolist()
    values = points.values
    distances = measure_distances(values, points.squares)
    by_number: dict[int, Trial] = {}
    for trial in _partition(values, graph, seeds[RUNS], checkpoint):
        rival = by_number.get(trial.n_clusters)
        if rival is None or trial.modularity > rival.modularity:
            by_number[trial.n_clusters] = trial
    trials = [
        replace(trial, silhouette=measure_silhouette(distances, trial.labels))
        for _, trial in sorted(by_number.items())
    ]
    least = HOPELESS * max((trial.score for trial in trials), default=0)
    trials = [trial for trial in trials if trial.score >= least]
    runs = []
    with ThreadPoolExecutor(count_cores()) as pool:  # Leiden leaves the interpreter to others
        for run in pool.map(lambda seed: _run_on_part(values, graph, trials, seed), seeds[:RUNS]):
            checkpoint()
            runs.append(run)
    return [
        replace(trial, stability=float(np.mean(agreements)))
        for trial, agreements in zip(trials, zip(*runs, strict=True), strict=True)
    ]


def _partition(
    values: Float64, graph: csr_array, seed: int, checkpoint: Checkpoint
) -> Iterator[Trial]:
    """Yield the communities at rising resolutions, then the most modular ones folded."""
    best = None
    for number, resolution in enumerate(RESOLUTIONS):
        checkpoint()
        labels = find_communities(graph, resolution, seed)
        trial = Trial(labels, number, False, measure_modularity(graph, labels))
        if trial.n_clusters > max(len(values) // LEAST_POINTS, 2):
            break
        if best is None or trial.modularity > best.modularity:
            best = trial
        if trial.n_clusters > 1:
            yield trial
    if best:
        for labels in fold(values, best.labels):
            yield Trial(labels, best.resolution, True, measure_modularity(graph, labels))


def _run_on_part(
    values: Float64, graph: csr_array, trials: Sequence[Trial], seed: int
) -> list[float]:
    """Partition a random part of the points anew; return how well each trial agrees with it."""
    generator = np.random.default_rng(seed)
    part = np.sort(generator.choice(len(values), int(RUN_SHARE * len(values)), replace=False))
    inner = csr_array(graph[part][:, part])
    inner.sort_indices()
    found = {
        number: find_communities(inner, RESOLUTIONS[number], seed)
        for number in {trial.resolution for trial in trials}
    }
    folded = {
        int(labels.max()) + 1: labels
        for number in {trial.resolution for trial in trials if trial.is_folded}
        for labels in fold(values[part], found[number])
    }
    agreements = []
    for trial in trials:
        again = found[trial.resolution]
        if trial.is_folded:
            again = folded.get(trial.n_clusters, again)
        agreements.append(adjusted_mutual_info_score(trial.labels[part], again))
    return agreements
