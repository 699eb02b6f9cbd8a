"""Choosing how many clusters: they should be far apart, and the same in other samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from shoal.shared.findings import ClusterChoice
from shoal.worker import Checkpoint
from shoal.worker.clustering.centroids import nearest
from shoal.worker.clustering.distinct import merge_copies
from shoal.worker.clustering.sampling import choose_rows

MOST_CLUSTERS = 20
# With this many, a choice takes 200 small fits and 20 products of square matrices: 2–4 s on one
# core.
SAMPLE_ROWS = 1000
# With more, distances of photographs are noise: with 50 components, the best choice for LFW's faces
# was often a cluster of two outlying images, and digits gave 12–19 clusters; with 10, LFW gave 2
# clusters and digits 10–13.
COMPONENTS = 10
RUNS = 10
RUN_SHARE = 0.8
TRIAL_STARTS = 3  # with one, half of the runs find another optimum
STABLE = 0.8  # adjusted Rand index
# A single normal distribution, round or elongated, had silhouettes of 0.07–0.13 and up to 7 stable
# runs; labelled data sets had silhouettes of 0.28–0.39.
LEAST_SILHOUETTE = 0.15
LEAST_STABLE_RUNS = 5
# What is chosen where all rows are the same.
NO_CHOICE = ClusterChoice(n_clusters=1, reason="1: there is no difference to see")

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Trial:
    """How well one number of clusters did.

    Attributes:
        n_clusters: The number that has rows.
        silhouette: Mean silhouette of the clusters, -1 to 1.
        agreements: Adjusted Rand index of each run on a random part with them, at most 1.
    """

    n_clusters: int
    silhouette: float
    agreements: tuple[float, ...]

    @property
    def stability(self) -> float:
        """Mean agreement of the runs, 0 if they agree less than by chance."""
        return max(float(np.mean(self.agreements)), 0.0)

    @property
    def stable_runs(self) -> int:
        """Number of runs that found the same clusters, except for a few rows."""
        return sum(agreement >= STABLE for agreement in self.agreements)


def choose_clusters(
    coordinates: Float64, random_state: int, checkpoint: Checkpoint = lambda: None
) -> ClusterChoice:
    """Choose how many clusters KMeans is to fit to ``coordinates``, from 2 to 20.

    It takes the number with the best product of silhouette (P. Rousseeuw, Silhouettes, J. Comput.
    Appl. Math. 20, 1987) and stability, which is how well fits of random parts with other seeds
    agree with a fit of all (U. von Luxburg, Clustering stability: an overview, 2010). The
    silhouette alone may favour a cluster of a few outliers, and stability alone favours few
    clusters.

    It uses at most 1,000 rows and their first 10 components, so that the time is bounded. The same
    arguments give the same choice.

    Args:
        coordinates: Principal components by falling variance, shape (n_rows, n_components).
        random_state: Seed of the sample and of the runs.
        checkpoint: Called a few times per second; may raise to stop.

    Returns:
        The number with its reason, and the scores of all numbers that were tried. Rows that differ
        by rounding only count as one. If there are at most 2 distinct rows, it is their number,
        without scores.
    """
    rows = choose_rows(len(coordinates), SAMPLE_ROWS, random_state)
    sample = merge_copies(np.ascontiguousarray(coordinates[rows, :COMPONENTS]))
    distinct = len(np.unique(sample, axis=0))
    if distinct == 1:
        return NO_CHOICE
    if distinct == 2:
        return ClusterChoice(n_clusters=2, reason="2: there are only 2 different images")
    distances = measure_distances(sample)
    tried = range(2, min(MOST_CLUSTERS, distinct) + 1)
    trials = []
    # OpenMP's threads add up in the order in which they finish; with one, bits are always the same.
    with threadpool_limits(1):
        for n_clusters in tried:
            checkpoint()
            trial = _try_clusters(sample, distances, n_clusters, random_state)
            # Else KMeans left clusters empty, and the trial is one of a smaller number.
            if trial.n_clusters == n_clusters:
                trials.append(trial)
    return choose_trial(trials)


def _try_clusters(sample: Float64, distances: Float32, n_clusters: int, random_state: int) -> Trial:
    """Measure how far apart clusters are, and how well runs on random parts agree with them."""
    generator = np.random.default_rng((random_state, n_clusters))
    expected = _label_by_part(sample, sample, n_clusters, generator)
    agreements = []
    for _ in range(RUNS):
        part = generator.choice(len(sample), max(int(RUN_SHARE * len(sample)), n_clusters), False)
        found = _label_by_part(sample[np.sort(part)], sample, n_clusters, generator)
        agreements.append(measure_agreement(expected, found))
    silhouette = measure_silhouette(distances, expected)
    return Trial(len(np.unique(expected)), silhouette, tuple(agreements))


def _label_by_part(
    part: Float64, sample: Float64, n_clusters: int, generator: np.random.Generator
) -> Labels:
    """Fit KMeans to ``part`` and label ``sample`` by its centroids."""
    n_clusters = min(n_clusters, len(np.unique(part, axis=0)))
    seed = int(generator.integers(2**31))
    kmeans = KMeans(n_clusters, n_init=TRIAL_STARTS, random_state=seed).fit(part)
    return nearest(sample, kmeans.cluster_centers_)


def measure_distances(sample: Float64) -> Float32:
    """Measure the Euclidean distances between all rows, shape (n_rows, n_rows)."""
    norms = (sample**2).sum(axis=1)
    squares = norms[:, None] + norms - 2 * sample @ sample.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float32)


def measure_silhouette(distances: Float32, labels: Labels) -> float:
    """Measure the mean silhouette: scikit-learn's, ten times as fast for many sets of labels.

    Args:
        distances: Between all rows, shape (n_rows, n_rows).
        labels: Cluster of each row, shape (n_rows,).

    Returns:
        -1 to 1; a row that is alone in its cluster counts 0.
    """
    members = np.eye(labels.max() + 1, dtype=np.float32)[labels]
    rows, sizes = np.arange(len(labels)), members.sum(axis=0)
    sums = distances @ members
    own = sums[rows, labels] / np.maximum(sizes[labels] - 1, 1)
    means = np.divide(sums, sizes, out=np.full_like(sums, np.inf), where=sizes > 0)
    means[rows, labels] = np.inf
    other = means.min(axis=1)
    larger = np.maximum(np.maximum(own, other), np.finfo(np.float32).tiny)
    alone = (sizes[labels] == 1) | np.isinf(other)
    return float(np.where(alone, 0, (other - own) / np.where(alone, 1, larger)).mean())


def measure_agreement(expected: Labels, found: Labels) -> float:
    """Measure the adjusted Rand index: scikit-learn's, without its checks, 20 times as fast.

    Both sets of labels have the shape (n_rows,). The index is 1 if they are the same clusters, and
    about 0 if they agree by chance only.
    """
    shape = int(expected.max()) + 1, int(found.max()) + 1
    table = np.bincount(expected * shape[1] + found, minlength=shape[0] * shape[1]).reshape(shape)
    counts = (table, table.sum(axis=0), table.sum(axis=1), np.array([len(expected)]))
    both, *either, every = (float((n * (n - 1)).sum()) for n in counts)
    chance = either[0] * either[1] / every
    most = sum(either) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


def choose_trial(trials: list[Trial]) -> ClusterChoice:
    """Choose the trial with the best product of silhouette and stability.

    Returns:
        Its number of clusters with the reason, and the scores of all ``trials``.
    """
    best = max(trials, key=lambda trial: trial.silhouette * trial.stability)
    return ClusterChoice(
        n_clusters=best.n_clusters,
        reason=_explain(best, trials),
        tried=tuple(trial.n_clusters for trial in trials),
        silhouettes=tuple(trial.silhouette for trial in trials),
        stabilities=tuple(trial.stability for trial in trials),
        stable_runs=tuple(trial.stable_runs for trial in trials),
        runs=RUNS,
    )


def _explain(best: Trial, trials: list[Trial]) -> str:
    """Say why a number is chosen, or that none stands out if the best one is poor."""
    runs = f"stable in {best.stable_runs} of {RUNS} runs"
    if best.silhouette < LEAST_SILHOUETTE or best.stable_runs < LEAST_STABLE_RUNS:
        weak = f"silhouette {best.silhouette:.2f}, {runs}"
        return f"{best.n_clusters}: a guess, as no number of clusters stands out ({weak})"
    highest = best.silhouette == max(trial.silhouette for trial in trials)
    words = "best silhouette" if highest else "best silhouette times stability"
    return f"{best.n_clusters}: {words}, {runs}"
