"""Findings: sizes, representatives and outliers, from the label rows of all batches."""

import importlib.metadata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from shoal.shared.findings import NOISE, ClusterChoice, ClusterSummary, DuplicateCounts, Summary
from shoal.shared.palette import choose_named
from shoal.shared.store import ClusterNames, Results
from shoal.worker.findings.copies import Copies
from shoal.worker.findings.representatives import choose_outliers, choose_representatives
from shoal.worker.model.model import FittedModel
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
    "onnxruntime",  # which some platforms lack
)


@dataclass(frozen=True)
class Shown:
    """The paths of the images that are shown, one of each group of copies.

    Attributes:
        representatives: The most typical images of each cluster.
        cluster_outliers: Others of each cluster that are far from it, farthest first.
        outliers: Those of all images that are far from their cluster, farthest first.
        copies: How many further images the group of each of them has, without those that have none.
        named: The clusters that plots show, ascending.
    """

    representatives: list[list[str]]
    cluster_outliers: list[list[str]]
    outliers: list[str]
    copies: dict[str, int]
    named: list[int]

    def in_sheet(self) -> list[list[str]]:
        """Return the representatives of each cluster, none of those that no plot shows."""
        named = set(self.named)
        return [paths if n in named else [] for n, paths in enumerate(self.representatives)]

    def paths(self) -> list[str]:
        """Return all that need a picture: those of the sheet, and all outliers."""
        farthest = [self.cluster_outliers[label] for label in self.named]
        return [*chain(*self.in_sheet(), self.outliers, *farthest)]

    def copies_of(self, *paths: Sequence[str]) -> dict[str, int]:
        """Return how many further images the groups of ``paths`` have, where there are any."""
        return {path: self.copies[path] for path in chain(*paths) if path in self.copies}


class Findings:
    """Sizes, representatives and outliers of the clusters of one job."""

    def __init__(
        self, results: Results, model: FittedModel, choice: ClusterChoice | None = None
    ) -> None:
        self.results = results
        self.model = model
        self.choice = choice
        self.names = ClusterNames(results.client, results.job_id).read()
        self.loaded_paths = lru_cache(maxsize=256)(results.loaded_paths)
        self.batch_ends = np.cumsum([shape.rows for shape in results.shapes()])
        self.rows = np.empty(self.batch_ends[-1], LABEL_DTYPE)
        # Not joined, which takes their memory twice.
        for end, raw in zip(self.batch_ends, results.labels(), strict=True):
            part = np.frombuffer(raw, LABEL_DTYPE)
            self.rows[end - len(part) : end] = part
        far = np.frombuffer(b"".join(results.far()), np.bool_)
        # None where the model does not say.
        self.far = far if len(far) == len(self.rows) else None
        labels = self.rows["label"]
        self.sizes = np.bincount(labels[labels != NOISE], minlength=len(model.centroids))

    def choose_shown(self, copies: Copies) -> Shown:
        """Choose representatives and outliers, one image of each group of copies."""
        labels, distances = self.rows["label"], self.rows["distance"]
        among = copies.list_shown(labels, distances)
        typical, farthest = (
            [among[rows] for rows in choose_representatives(labels[among], values, *wanted)]
            for values, wanted in (
                (distances[among], (len(self.sizes), REPRESENTATIVES)),
                (-distances[among], (len(self.sizes), CLUSTER_OUTLIERS)),
            )
        )
        is_far = np.ones(len(labels), np.bool_) if self.far is None else self.far
        far = [
            np.setdiff1d(rows[is_far[rows]], near, assume_unique=True)
            for rows, near in zip(farthest, typical, strict=True)
        ]
        # The copies of an image may be in several clusters: here, one is shown of all.
        among = copies.list_shown(np.zeros_like(labels), -distances)
        # An image that is a cluster of its own is far from nothing: it is the centroid.
        among = among[(labels[among] == NOISE) | (self.sizes[labels[among]] > 1)]
        among = among[is_far[among]]
        outliers = among[choose_outliers(distances[among], OUTLIERS)]
        others = copies.count_others(len(labels))
        shown = np.unique(np.concatenate([outliers, *typical, *far]))
        shown = shown[others[shown] > 0]
        return Shown(
            representatives=[self.paths(rows) for rows in typical],
            cluster_outliers=[self.paths(rows) for rows in far],
            outliers=self.paths(outliers),
            named=choose_named(self.sizes.tolist()),
            copies=dict(zip(self.paths(shown), others[shown].tolist(), strict=True)),
        )

    def paths(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the paths of the images in ``rows``."""
        batches, places = self.places(rows)
        found = zip(batches.tolist(), places.tolist(), strict=True)
        return [self.loaded_paths(batch)[place] for batch, place in found]

    def places(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the batch of each of ``rows``, and its place among the batch's loaded images."""
        batches = np.searchsorted(self.batch_ends, rows, side="right")
        return batches, rows - np.append(0, self.batch_ends)[batches]

    def summary(
        self, shown: Shown, duplicates: DuplicateCounts | None, notes: Sequence[str]
    ) -> Summary:
        """Return the findings as numbers and paths, with what to know about them."""
        labels, n_clusters = self.rows["label"], len(self.sizes)
        is_far = np.zeros(len(labels), np.bool_) if self.far is None else self.far
        n_far = np.bincount(labels[is_far & (labels != NOISE)], minlength=n_clusters)
        clusters = [
            ClusterSummary(
                label=label,
                size=int(size),
                representatives=near,
                outliers=far,
                copies=shown.copies_of(near, far),
                far=int(n_far[label]),
            )
            for label, (size, near, far) in enumerate(
                zip(self.sizes, shown.representatives, shown.cluster_outliers, strict=True)
            )
        ]
        return Summary(
            clusters=clusters,
            outliers=shown.outliers,
            copies=shown.copies_of(shown.outliers),
            map_landmarks=len(self.model.map_landmarks),
            rows_fitted=self.model.rows_fitted,
            n_components=len(self.model.components),
            explained_variance_ratio=self.model.explained_variance_ratio.tolist(),
            inertia=self.model.inertia,
            duplicates=duplicates,
            noise=len(self.rows) - int(self.sizes.sum()),
            far=None if self.far is None else int(self.far.sum()),
            choice=self.choice,
            notes=tuple(notes),
            versions=dict(_list_versions()),
        )


def _list_versions() -> Iterator[tuple[str, str]]:
    for name in VERSIONS_OF:
        with suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)
