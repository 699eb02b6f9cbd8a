"""Clustering: the algorithm of a job, with its parameters."""

from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Literal

from shoal.shared.jobs import AUTO, Algorithm, Level
from shoal.worker import Checkpoint
from shoal.worker.clustering.clusters import Clusters
from shoal.worker.clustering.communities import NO_DIFFERENCE, fit_communities
from shoal.worker.clustering.density import fit_hdbscan
from shoal.worker.clustering.distinct import count_distinct
from shoal.worker.clustering.kmeans import Float64, fit_kmeans
from shoal.worker.clustering.minibatch import fit_minibatch
from shoal.worker.clustering.rows import Rows


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """How rows are clustered.

    Attributes:
        n_clusters: Clusters wanted, or "auto", which finds communities with KMeans and their number
            with mini-batches; HDBSCAN finds its own number.
        level: As in a job's request.
        algorithm: As in a job's request.
        random_state: Seed.
        n_init: Starts of KMeans, of which the best is kept.
        checkpoint: Called between steps, most of which take at most a second or two; may raise to
            stop.
    """

    n_clusters: int | Literal["auto"]
    level: Level | None = None
    algorithm: Algorithm = Algorithm.KMEANS
    random_state: int = 0
    n_init: int = 1
    checkpoint: Checkpoint = lambda: None

    def fit(self, coordinates: Float64, rows: Rows) -> Clusters:
        """Fit clusters to rows; the same arguments give the same bits.

        There are at most as many clusters as distinct rows: one, if all rows are the same.

        Args:
            coordinates: Principal components of the rows, shape (n_rows, n_components).
            rows: The rows themselves, to count distinct ones, shape (n_rows, n_features).

        Raises:
            JobFailedError: HDBSCAN found no cluster.
        """
        chooses = self.algorithm == Algorithm.HDBSCAN or self.n_clusters == AUTO
        if chooses and count_distinct(rows, 2) == 1:
            return replace(self._fit(coordinates, 1), choice=NO_DIFFERENCE)
        if self.algorithm == Algorithm.HDBSCAN:
            return fit_hdbscan(coordinates, self.random_state, self.checkpoint)
        if self.n_clusters != AUTO:
            return self._fit(coordinates, count_distinct(rows, self.n_clusters))
        found = fit_communities(coordinates, self.random_state, self.level, self.checkpoint)
        if self.algorithm == Algorithm.MINIBATCH:
            return replace(self._fit(coordinates, len(found.centroids)), choice=found.choice)
        return found

    def _fit(self, coordinates: Float64, n_clusters: int) -> Clusters:
        if self.algorithm == Algorithm.MINIBATCH:
            return fit_minibatch(coordinates, n_clusters, self.random_state, self.checkpoint)
        # With one start, the seed is the one that scikit-learn would use.
        fits = (
            fit_kmeans(coordinates, n_clusters, seed % 2**32, self.checkpoint)
            for seed in range(self.random_state, self.random_state + self.n_init)
        )
        return min(fits, key=attrgetter("inertia"))
