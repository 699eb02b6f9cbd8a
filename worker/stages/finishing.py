"""Finishing: sizes, representatives, outliers and plots, once every batch is labelled."""

import importlib.metadata
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.findings import NOISE, ClusterChoice, ClusterSummary, DuplicateCounts, Summary
from shared.jobs import Stage, State
from shared.store import Lease, Results
from worker.heartbeat import LeaseKeeper
from worker.model import Model
from worker.representatives import find_outliers, find_representatives
from worker.stages.callback import run_callback
from worker.stages.copies import count_copies, search_copies
from worker.stages.labelling import LABEL_DTYPE
from worker.stages.plotting import draw_plots, encode_tiles, load_tiles
from worker.workplace import Workplace

REPRESENTATIVES = 8
OUTLIERS = 20
CLUSTER_OUTLIERS = 4
# Clusters in the contact sheet: each costs the decoding of its representatives.
MOST_CLUSTERS_SHOWN = 40
# Beside the one that draws: to search for copies, and to encode plots.
THREADS = 2
VERSIONS_OF = ("shoal", "celery", "numpy", "scikit-learn", "scikit-image", "pillow")


def finish_job(workplace: Workplace, job_id: str) -> None:
    """Sum up and plot what the job found, and end it."""
    ledger = workplace.ledger(job_id)
    results = workplace.results(job_id)

    def work(lease: Lease, keeper: LeaseKeeper) -> None:
        choice = results.choice()
        findings = Findings(results, Model.from_bytes(results.model()), choice)
        keeper.check()
        # A tile that kills the process costs the contact sheet its pictures, not the job.
        shown = findings.shown_paths() if lease.attempt == 1 else []
        # Before the search begins: it would be held to the memory of an image, too.
        tiles = load_tiles(shown, Path(ledger.request.source), workplace, keeper)
        with ThreadPoolExecutor(THREADS) as pool:
            searching = pool.submit(search_copies, findings, lease, keeper)
            plots = draw_plots(findings, tiles, pool)
            copies = searching.result()
        keeper.check()
        summary = findings.summary(None if copies is None else count_copies(copies))
        rows = b"" if copies is None else copies.tobytes()
        results.put_findings(lease.token, summary, plots, encode_tiles(tiles), rows)
        if not ledger.advance(lease, State.FINISHED, {"findings_token": lease.token}):
            keeper.give_up()
        workplace.sweeper.end_job(job_id)

    run_callback(workplace, job_id, Stage.LABELLING, work)


class Findings:
    """What the label rows of all batches say together."""

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
        typical = find_representatives(labels, distances, n_clusters, REPRESENTATIVES)
        self.representatives = [self.paths(rows) for rows in typical]
        self.outliers = self.paths(find_outliers(distances, OUTLIERS))
        farthest = find_representatives(labels, -distances, n_clusters, CLUSTER_OUTLIERS)
        self.cluster_outliers = [
            self.paths(np.setdiff1d(rows, near, assume_unique=True))
            for rows, near in zip(farthest, typical, strict=True)
        ]

    def shown_representatives(self) -> list[list[str]]:
        """Return the paths of the representatives of each cluster in the contact sheet."""
        return self.representatives[:MOST_CLUSTERS_SHOWN]

    def shown_paths(self) -> list[str]:
        """Return the paths of the images that are shown: those of the sheet, and all outliers."""
        outliers = self.cluster_outliers[:MOST_CLUSTERS_SHOWN]
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

    def summary(self, duplicates: DuplicateCounts | None) -> Summary:
        """Return the findings in numbers and paths."""
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
            versions={name: importlib.metadata.version(name) for name in VERSIONS_OF},
        )
