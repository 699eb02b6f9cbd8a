"""How well clusters agree with classes that are known, for each extractor.

``python -m benchmarks.quality`` clusters five labelled sets, five seeds each, with as many
clusters as there are classes, and writes the mean normalized mutual information.
"""

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import normalized_mutual_info_score

import shoal.worker.blas  # noqa: F401  before numpy's first product
from benchmarks import FIGURES
from benchmarks.labelled_sets import SETS, make_set
from shoal.producer.submission.folder import read_folder
from shoal.shared.images.files import ImageLimits
from shoal.shared.jobs import JobRequest
from shoal.shared.recipe.features import choose_image_size
from shoal.shared.recipe.fit import DEFAULT_COMPONENTS, count_starts
from shoal.shared.settings import Settings
from shoal.worker.clustering.clustering import Clustering
from shoal.worker.extractors import Features, extract_blocks, find_extractors
from shoal.worker.images.loading import load_image
from shoal.worker.model.blocks import choose_scale
from shoal.worker.model.fitting import fit_model
from shoal.worker.model.statistics import FeatureStatistics

FEATURES = ("pixels", "color", "hog", "lbp", "embedding", "hog+color", "embedding+hog")
SEEDS = 5
LIMITS = ImageLimits(Settings().max_image_bytes, Settings().max_image_pixels)


def extract_set(folder: Path, features: str) -> tuple[Features, tuple[int, ...], list[str]]:
    """Return the features of a set's images, the columns of each extractor, and the classes."""
    paths = read_folder(folder).paths
    size = choose_image_size(features)
    images = np.stack([load_image(folder / path, size, LIMITS) for path in paths])
    rows, widths = extract_blocks(find_extractors(features), images)
    return rows, widths, [path.split("/")[0] for path in paths]


def score(rows: Features, widths: tuple[int, ...], classes: list[str], features: str) -> float:
    """Return the mean normalized mutual information of the clusters and the classes."""
    return statistics.mean(
        float(
            normalized_mutual_info_score(
                classes, find_labels(rows, widths, classes, features, seed)
            )
        )
        for seed in range(SEEDS)
    )


def find_labels(
    rows: Features, widths: tuple[int, ...], classes: list[str], features: str, random_state: int
) -> NDArray[np.int32]:
    """Return the labels that a job would give, with as many clusters as classes."""
    sums = FeatureStatistics.of(rows)
    clustering = Clustering(
        n_clusters=len(set(classes)),
        random_state=random_state,
        n_init=count_starts(JobRequest(source="", features=features)),
    )
    scale = choose_scale(rows, sums, features, widths)
    model, _ = fit_model(rows, sums.mean(), scale, clustering, DEFAULT_COMPONENTS)
    return model.label(rows).labels


def main() -> None:
    """Score and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, default=Path(".benchmarks/sets"))
    options = parser.parse_args()
    options.sets.mkdir(parents=True, exist_ok=True)
    scores: dict[str, dict[str, float]] = {}
    for name in SETS:
        folder = make_set(name, options.sets)
        for features in FEATURES:
            nmi = score(*extract_set(folder, features), features)
            scores.setdefault(features, {})[name] = round(nmi, 3)
            print(f"{name} {features}: {nmi:.3f}", flush=True)
    (FIGURES / "quality.json").write_text(json.dumps(scores, indent=1) + "\n")


if __name__ == "__main__":
    main()
