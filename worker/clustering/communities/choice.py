"""The choice among trials: the best number of clusters, and whether it stands out."""

from collections.abc import Sequence
from operator import attrgetter

from shoal.shared.findings import ClusterChoice
from shoal.shared.jobs import Level
from shoal.worker.clustering.communities.partitions import Labels
from shoal.worker.clustering.communities.trials import Trial

# Scores that differ by less come in another order with another seed. Of 128 subsets of labelled
# sets, the highest score had 0.7 times as many clusters as classes in the median, the most clusters
# within a tenth of it as many.
TIED = 0.95
# A coarser or finer level has nearly the best score, and a number that is clearly another.
NEARLY = 0.8
APART = 1.6
# Clouds without structure were below this, or below the least silhouette.
LEAST_STABILITY = 0.75
MOST_GUESSED = 20
# Where all rows are the same.
NO_DIFFERENCE = ClusterChoice(n_clusters=1, reason="1: there is no difference to see")
# Where no partition has two clusters.
NO_GROUPS = ClusterChoice(
    n_clusters=1, reason="1: a guess, as no number of clusters stands out", stands_out=False
)


def choose_trial(
    trials: Sequence[Trial], least_silhouette: float, level: Level | None = None
) -> tuple[Labels, ClusterChoice]:
    """Choose the best number of clusters, or the level beside it that was asked for.

    Of scores that tie with the highest, it is the largest number that stands out. If none does, it
    is a number that a user can look through.

    Args:
        trials: By rising number of clusters, at least one.
        least_silhouette: Of clusters that are apart.
        level: Whether to take the coarser or the finer level, if there is one.

    Returns:
        The labels of the points, and the number of clusters with its reason and all scores.
    """
    highest = max(trial.score for trial in trials)
    tied = [trial for trial in trials if trial.score >= TIED * highest]
    clear = [trial for trial in tied if _stands_out(trial, least_silhouette)]
    main = clear[-1] if clear else _guess(trials)
    good = [trial for trial in trials if trial.score >= NEARLY * highest]
    beside = {
        Level.COARSER: [trial for trial in good if trial.n_clusters * APART <= main.n_clusters],
        Level.FINER: [trial for trial in good if trial.n_clusters >= APART * main.n_clusters],
    }
    best = {level: max(found, key=attrgetter("score")) for level, found in beside.items() if found}
    chosen = best.get(level, main) if level else main
    choice = ClusterChoice(
        n_clusters=chosen.n_clusters,
        reason=_explain(chosen, main, highest, bool(clear)),
        stands_out=bool(clear),
        coarser=best[Level.COARSER].n_clusters if Level.COARSER in best else None,
        finer=best[Level.FINER].n_clusters if Level.FINER in best else None,
        tried=tuple(trial.n_clusters for trial in trials),
        scores=tuple(trial.score for trial in trials),
        silhouettes=tuple(trial.silhouette for trial in trials),
        stabilities=tuple(trial.stability for trial in trials),
    )
    return chosen.labels, choice


def describe_different(n_images: int) -> ClusterChoice:
    """Say that there are so few different images that each is a cluster."""
    if n_images == 1:
        return NO_DIFFERENCE
    return ClusterChoice(
        n_clusters=n_images, reason=f"{n_images}: there are only {n_images} different images"
    )


def _stands_out(trial: Trial, least_silhouette: float) -> bool:
    return trial.stability >= LEAST_STABILITY and trial.silhouette >= least_silhouette


def _guess(trials: Sequence[Trial]) -> Trial:
    """Choose the best of few clusters; of clouds without structure, hundreds score as high."""
    few = [trial for trial in trials if trial.n_clusters <= MOST_GUESSED] or trials[:1]
    return max(few, key=attrgetter("score"))


def _explain(chosen: Trial, main: Trial, highest: float, is_clear: bool) -> str:
    """Say why a number is chosen, or that it is a guess."""
    measured = f"silhouette {chosen.silhouette:.2f}, stability {chosen.stability:.2f}"
    if not is_clear:
        return f"{chosen.n_clusters}: a guess, as no number of clusters stands out ({measured})"
    if chosen is main and main.score < highest:
        return f"{chosen.n_clusters}: the largest of the numbers that score best ({measured})"
    if chosen is main:
        return f"{chosen.n_clusters}: the best of the numbers tried ({measured})"
    side = "coarser" if chosen.n_clusters < main.n_clusters else "finer"
    return f"{chosen.n_clusters}: {side} than the best number, {main.n_clusters} ({measured})"
