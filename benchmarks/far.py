"""How many images are flagged as far from every cluster: known ones, new classes, other sets.

``python -m benchmarks.far [SET…]`` fits a model to four fifths of each labelled set and prints
which share it flags of the rest, of the images fitted, and of the other sets; then which share of
each class that was left out of a model. The figures stand in docs/how-to/assign-new-images.md.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import shoal.worker.blas  # noqa: F401  before numpy's first product
from benchmarks.labelled_sets import SETS, make_set
from benchmarks.quality import extract_set
from shoal.shared.recipe.fit import DEFAULT_COMPONENTS
from shoal.worker.clustering.clustering import Clustering
from shoal.worker.extractors import Features
from shoal.worker.model.blocks import choose_scale
from shoal.worker.model.fitting import fit_model
from shoal.worker.model.limits import set_limits
from shoal.worker.model.model import FittedModel
from shoal.worker.model.statistics import FeatureStatistics

FITTED_SHARE = 0.8
# The largest classes of a set are left out, one after the other.
MOST_LEFT_OUT = 6


def fit_set(rows: Features, features: str, widths: tuple[int, ...], n_clusters: int) -> FittedModel:
    """Fit a model as a job does, with its limits."""
    sums = FeatureStatistics.of(rows)
    scale = choose_scale(rows, sums, features, widths)
    clustering = Clustering(n_clusters=n_clusters)
    model, _ = fit_model(rows, sums.mean(), scale, clustering, DEFAULT_COMPONENTS)
    return set_limits(model, rows)


def split(n_rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows at random into those that are fitted and the rest."""
    order = np.random.default_rng(0).permutation(n_rows)
    n_fitted = int(FITTED_SHARE * n_rows)
    return order[:n_fitted], order[n_fitted:]


def share_far(model: FittedModel, rows: Features) -> float:
    """Return the share of rows that the model flags."""
    return float(model.label(rows).far.mean())


def leave_classes_out(
    rows: Features, classes: NDArray[np.str_], features: str, widths: tuple[int, ...]
) -> Iterator[float]:
    """Yield which share of a class is flagged by a model that was fitted without it."""
    names, counts = np.unique(classes, return_counts=True)
    for name in names[np.argsort(-counts)][:MOST_LEFT_OUT]:
        known = rows[classes != name]
        model = fit_set(known, features, widths, max(2, len(names) - 1))
        yield share_far(model, rows[classes == name])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(SETS))
    parser.add_argument("--sets", type=Path, default=Path(".benchmarks/sets"))
    parser.add_argument("--features", default="embedding")
    options = parser.parse_args()
    options.sets.mkdir(parents=True, exist_ok=True)
    sets = {
        name: extract_set(make_set(name, options.sets), options.features) for name in options.names
    }
    for name, (rows, widths, labels) in sets.items():
        classes = np.array(labels)
        fitted, rest = split(len(rows))
        model = fit_set(rows[fitted], options.features, widths, len(set(labels)))
        others = [share_far(model, other) for key, (other, *_) in sets.items() if key != name]
        left_out = list(leave_classes_out(rows, classes, options.features, widths))
        print(
            f"{name}: known {share_far(model, rows[rest]):.2f},"
            f" fitted {share_far(model, rows[fitted]):.2f},"
            f" classes left out {np.mean(left_out):.2f},"
            f" other sets {np.mean(others or [np.nan]):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
