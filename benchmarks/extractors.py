"""Speed of loading with each extractor, as a share of a bare process pool that does the same.

``python -m benchmarks.extractors`` starts two workers and runs pool and job in turn, as
``benchmarks.pipeline`` does. The pool decodes and extracts, and keeps nothing.
"""

import argparse
import json
import statistics
import tempfile
import time
from functools import cache
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np

import shoal.worker.blas  # noqa: F401  the pool gets one thread a process, as the workers have
from benchmarks import FIGURES
from benchmarks.photographs import make_photographs
from benchmarks.pipeline import LIMITS, PROCESSES, started_workers, time_job
from shoal.producer.client import Client
from shoal.shared.recipe.features import choose_image_size
from shoal.worker.extractors import Extractor, extract_blocks, find_extractors
from shoal.worker.images.loading import load_image
from shoal.worker.memory import keep_freed_memory
from shoal.worker.stages.loading.loading import CHUNK

# Photographs for each: some seconds a run.
IMAGES = {"pixels": 4000, "color": 4000, "hog": 4000, "lbp": 2000, "embedding": 1000}


@cache
def load_extractors(features: str) -> tuple[Extractor, ...]:
    """Return the extractors, once a process."""
    return find_extractors(features)


def extract(work: tuple[str, list[str]]) -> int:
    """Decode some images and extract their features as the workers do; return their number."""
    features, paths = work
    size = choose_image_size(features)
    images = np.stack([load_image(path, size, LIMITS) for path in paths])
    return len(extract_blocks(load_extractors(features), images)[0])


def time_pool(pool: Pool, features: str, paths: list[str]) -> float:
    """Return the seconds in which a bare pool extracts the features of ``paths``."""
    chunks = [(features, paths[start : start + CHUNK]) for start in range(0, len(paths), CHUNK)]
    started = time.perf_counter()
    for _ in pool.imap_unordered(extract, chunks):
        pass
    return time.perf_counter() - started


def compare(
    client: Client, pool: Pool, features: str, directory: Path, rounds: int
) -> dict[str, float]:
    """Return the rate at which jobs load, and its median share of the pool's."""
    paths = sorted(map(str, directory.rglob("*.jpg")))
    time_pool(pool, features, paths[: 4 * CHUNK])  # loads the extractor
    pools, shares, rates = [time_pool(pool, features, paths)], [], []
    for number in range(rounds):
        options = {"features": features, "image_size": choose_image_size(features)}
        seconds = time_job(client, directory, random_state=number, **options)["loading"]
        pools.append(time_pool(pool, features, paths))
        shares.append((pools[-2] + pools[-1]) / 2 / seconds)
        rates.append(len(paths) / seconds)
    return {
        "images": len(paths),
        "images_per_second": round(statistics.median(rates)),
        "share": round(statistics.median(shares), 3),
    }


def main() -> None:
    """Compare each extractor and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", nargs="+", default=list(IMAGES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photographs", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    figures = {}
    with (
        tempfile.TemporaryDirectory() as home,
        get_context("spawn").Pool(PROCESSES, keep_freed_memory) as pool,
        started_workers(Path(home)) as client,
    ):
        for features in options.features:
            count = IMAGES[features]
            directory = make_photographs(options.photographs / str(count), count)
            figures[features] = compare(client, pool, features, directory, options.rounds)
            print(features, figures[features], flush=True)
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / "extractors.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
