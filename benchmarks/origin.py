"""The script that Shoal grew from, image by image: how much faster is a job?

``python -m benchmarks.origin`` compares it with a job on the same photographs, in turn in
one run, and writes the figures to ``benchmarks/figures/``.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import FIGURES
from benchmarks.peers.scripts.with_scikit_image import label_images
from benchmarks.photographs import make_photographs
from benchmarks.pipeline import started_workers, time_job


def run_origin(directory: Path) -> float:
    """Return the seconds that the tutorial's steps take: load, resize, flatten, fit."""
    paths = sorted(map(str, directory.rglob("*.jpg")))
    started = time.perf_counter()
    label_images(paths)
    return time.perf_counter() - started


def main() -> None:
    """Compare and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4000, help="of the job")
    parser.add_argument("--origin-images", type=int, default=200, help="of the script")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photographs", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    many = make_photographs(options.photographs / str(options.images), options.images)
    few = make_photographs(options.photographs / str(options.origin_images), options.origin_images)
    ratios = []
    with tempfile.TemporaryDirectory() as home, started_workers(Path(home)) as client:
        run_origin(few)
        for number in range(options.rounds):
            origin = run_origin(few) / options.origin_images
            job = time_job(client, many, random_state=number)["finished"] / options.images
            ratios.append(origin / job)
            print(f"origin {origin * 1e3:.2f} ms an image, job {job * 1e3:.2f}", flush=True)
    figures = {"images": options.images, "times_the_origin": round(statistics.median(ratios), 1)}
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / "origin.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(figures)


if __name__ == "__main__":
    main()
