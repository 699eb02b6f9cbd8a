"""Findings: sizes, representatives and outliers, from the label rows of all batches."""

import importlib.metadata
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from shoal.shared.findings import NOISE, ClusterChoice, ClusterSummary, DuplicateCounts, Summary
from shoal.shared.palette import MAX_NAMED
from shoal.shared.store import Results
from shoal.worker.findings.representatives import choose_outliers, choose_representatives
from shoal.worker.model.model import Model
from shoal.worker.stages.labelling import LABEL_DTYPE

REPRESENTATIVES = 8
OUTLIERS = 20
CLUSTER_OUTLIERS = 4
VERSIONS_OF = (
    "shoal",
    "celery",
    "numpy",
    "scikit-learn",
    "scikit-image",
    "pillow",
    "graspologic-native",
)


class Findings:
    """Sizes, representatives and outliers of the clusters of one job."""

    def __init__(self, results: Results, model: Model, choice: ClusterChoice | None = None) -> None:
        self.results = results
        self.model = model
        self.choice = choice
        self.loaded_paths = lru_cache(maxsize=256)(results.loaded_paths)
        self.rows = np.frombuffer(b"".join(results.labels()), LABEL_DTYPE)
        self.batch_ends = np.cumsum([shape.rows for shape in results.shapes()])
        labels, distances = self.rows["label"], self.rows["distance"]
        self.sizes = np.bincount(labels[labels != NOISE], minlength=len(model.centroids))
        n_clusters = len(self.sizes)
        typical = choose_representatives(labels, distances, n_clusters, REPRESENTATIVES)
        self.representatives = [self.paths(rows) for rows in typical]
        self.outliers = self.paths(choose_outliers(distances, OUTLIERS))
        farthest = choose_representatives(labels, -distances, n_clusters, CLUSTER_OUTLIERS)
        self.cluster_outliers = [
            self.paths(np.setdiff1d(rows, near, assume_unique=True))
            for rows, near in zip(farthest, typical, strict=True)
        ]

    def shown_representatives(self) -> list[list[str]]:
        """Return the paths of the representatives of each cluster in the contact sheet."""
        return self.representatives[:MAX_NAMED]

    def shown_paths(self) -> list[str]:
        """Return the paths of the images that are shown: those of the sheet, and all outliers."""
        outliers = self.cluster_outliers[:MAX_NAMED]
        return [*chain(*self.shown_representatives(), self.outliers, *outliers)]

    def paths(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the paths of the images in ``rows``."""
        batches, places = self.places(rows)
        found = zip(batches.tolist(), places.tolist(), strict=True)
        return [self.loaded_paths(batch)[place] for batch, place in found]

    def places(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the batch of each of ``rows``, and its place among the batch's loaded images."""
        batches = np.searchsorted(self.batch_ends, rows, side="right")
        return batches, rows - np.append(0, self.batch_ends)[batches]

    def summary(self, duplicates: DuplicateCounts | None, notes: Sequence[str]) -> Summary:
        """Return the findings as numbers and paths, with what to know about them."""
        clusters = [
            ClusterSummary(label=label, size=int(size), representatives=near, outliers=far)
            for label, (size, near, far) in enumerate(
                zip(self.sizes, self.representatives, self.cluster_outliers, strict=True)
            )
        ]
        return Summary(
            clusters=clusters,
            outliers=self.outliers,
            rows_fitted=self.model.rows_fitted,
            n_components=len(self.model.components),
            explained_variance_ratio=self.model.explained_variance_ratio.tolist(),
            inertia=self.model.inertia,
            duplicates=duplicates,
            noise=len(self.rows) - int(self.sizes.sum()),
            choice=self.choice,
            notes=tuple(notes),
            versions={name: importlib.metadata.version(name) for name in VERSIONS_OF},
        )
