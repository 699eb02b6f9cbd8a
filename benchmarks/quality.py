"""How well clusters agree with classes that are known, for each extractor.

``python -m benchmarks.quality`` clusters all labelled sets, five seeds each, with as many clusters
as there are classes, into five by pixels, and into as many as are found by the default; it writes
the mean normalized mutual information, and how many were found.
"""

import argparse
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import normalized_mutual_info_score

import shoal.worker.blas  # noqa: F401  before numpy's first product
from benchmarks import FIGURES
from benchmarks.labelled_sets import SETS, UNEQUAL, make_set
from shoal.producer.submission.folder import read_folder
from shoal.shared.images.files import ImageLimits
from shoal.shared.jobs import AUTO, JobRequest
from shoal.shared.recipe.features import choose_image_size
from shoal.shared.recipe.fit import DEFAULT_COMPONENTS, count_starts
from shoal.shared.settings import Settings
from shoal.worker.clustering.clustering import Clustering
from shoal.worker.extractors import Features, extract_blocks, find_extractors
from shoal.worker.images.loading import load_image
from shoal.worker.model.blocks import choose_scale
from shoal.worker.model.fitting import fit_model
from shoal.worker.model.statistics import FeatureStatistics

# The numbers of clusters asked for with each extractor; None: as many as there are classes.
CASES: dict[str, tuple[int | Literal["auto"] | None, ...]] = {
    "pixels": (5, None),
    "color": (None,),
    "hog": (None,),
    "lbp": (None,),
    "hog+color": (None,),
    "embedding+hog": (None,),
    "embedding": (None, AUTO),
}
SEEDS = 5
LIMITS = ImageLimits(Settings().max_image_bytes, Settings().max_image_pixels)


def extract_set(folder: Path, features: str) -> tuple[Features, tuple[int, ...], list[str]]:
    """Return the features of a set's images, the columns of each extractor, and the classes."""
    paths = read_folder(folder).paths
    size = choose_image_size(features)
    images = np.stack([load_image(folder / path, size, LIMITS) for path in paths])
    rows, widths = extract_blocks(find_extractors(features), images)
    return rows, widths, [path.split("/")[0] for path in paths]


def score_set(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what each case scored on a set."""
    for features, wanted in CASES.items():
        rows, widths, classes = extract_set(folder, features)
        sums = FeatureStatistics.of(rows)
        scale = choose_scale(rows, sums, features, widths)
        for clusters in wanted:
            n_clusters = clusters or len(set(classes))
            request = JobRequest(source="", features=features, clusters=n_clusters)
            labels = [find_labels(rows, sums, scale, request, seed) for seed in range(SEEDS)]
            scores = [float(normalized_mutual_info_score(classes, some)) for some in labels]
            yield {
                "features": features,
                "clusters": clusters,
                "found": round(statistics.mean(len(np.unique(some)) for some in labels)),
                "nmi": round(statistics.mean(scores), 3),
            }


def find_labels(
    rows: Features,
    sums: FeatureStatistics,
    scale: NDArray[np.float64],
    request: JobRequest,
    random_state: int,
) -> NDArray[np.int32]:
    """Return the labels that a job would give."""
    clustering = Clustering(
        n_clusters=request.clusters, random_state=random_state, n_init=count_starts(request)
    )
    model, _ = fit_model(rows, sums.mean(), scale, clustering, DEFAULT_COMPONENTS)
    return model.label(rows).labels


def main() -> None:
    """Score and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, default=Path(".benchmarks/sets"))
    options = parser.parse_args()
    options.sets.mkdir(parents=True, exist_ok=True)
    figures = {}
    for name in SETS | UNEQUAL:
        folder = make_set(name, options.sets)
        n_classes = sum(path.is_dir() for path in folder.iterdir())
        figures[name] = {"classes": n_classes, "scores": list(score_set(folder))}
        print(name, figures[name], flush=True)
    (FIGURES / "quality.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
