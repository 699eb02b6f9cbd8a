"""Speed of a whole job, as shares of a bare process pool that decodes the same way.

``python -m benchmarks.pipeline --images 4000 20000`` starts two workers and runs pool and
job in turn, A B A B A, on one machine in one run. Figures are medians of ratios: these do not
drift with the machine's load as seconds do. They are written to ``benchmarks/figures/``.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import shoal.worker.blas  # noqa: F401  the pool gets one thread a process, as the workers have
from benchmarks import FIGURES
from benchmarks.photographs import make_photographs
from shoal.producer.client import Client
from shoal.shared.images.files import ImageLimits
from shoal.shared.settings import Settings
from shoal.worker.images.loading import load_image
from shoal.worker.memory import keep_freed_memory

PROCESSES = 2
CHUNK = 64
# Of jobs whose images cost next to nothing beside decoding.
IMAGE_SIZE = 32
QUICK: dict[str, Any] = {"features": "pixels", "image_size": IMAGE_SIZE, "clusters": 5}
LIMITS = ImageLimits(Settings().max_image_bytes, Settings().max_image_pixels)


def load(path: str) -> int:
    """Decode one image as the workers do."""
    return load_image(path, IMAGE_SIZE, LIMITS).size


def time_pool(pool: Pool, paths: list[str]) -> float:
    """Return the seconds in which a bare pool decodes ``paths``."""
    started = time.perf_counter()
    for _ in pool.imap_unordered(load, paths, chunksize=CHUNK):
        pass
    return time.perf_counter() - started


def time_job(client: Client, directory: Path | str, **options: object) -> dict[str, float]:
    """Return the seconds from submitting a folder to the end of each of its stages."""
    submitted = client.registry.now()
    # Every job decodes all of its images, whatever those before it have loaded.
    job = client.submit(directory, force=True, **(QUICK | {"cache": False} | options))
    registered = client.registry.now()
    job.wait()
    fields = job.ledger.fields()
    started = float(fields["started_at"])
    return {
        "submit": registered - submitted,
        "loading": float(fields["loading_ended_at"]) - started,
        "labels": float(fields["labelling_ended_at"]) - submitted,
        "finished": float(fields["finished_at"]) - submitted,
    }


@contextmanager
def started_workers(
    home: Path, processes: int = PROCESSES, cache_bytes: int = 0
) -> Iterator[Client]:
    """Yield a client of an embedded server with workers that have done a job already."""
    with Client(settings=Settings(home=home, cache_bytes=cache_bytes)) as client:
        client.workers.start(processes)
        client.submit(make_photographs(home / "warm", 200), **QUICK).wait()
        yield client


def compare(client: Client, pool: Pool, directory: Path, rounds: int) -> dict[str, float]:
    """Return the pool's rate, and the median shares of it that a job reaches."""
    paths = sorted(map(str, directory.rglob("*.jpg")))
    shares: dict[str, list[float]] = {"loading": [], "labels": [], "finished": []}
    pools = [time_pool(pool, paths)]
    for number in range(rounds):
        job = time_job(client, directory, random_state=number)
        pools.append(time_pool(pool, paths))
        print(f"{len(paths)} images: pool {pools[-1]:.2f} s, job", json.dumps(job), flush=True)
        for name, values in shares.items():
            # Before and after: the machine's speed drifts from one to the other.
            values.append((pools[-2] + pools[-1]) / 2 / job[name])
    medians = {name: round(statistics.median(values), 3) for name, values in shares.items()}
    rate = round(len(paths) / statistics.median(pools))
    return {"images": len(paths), "pool_images_per_second": rate, **medians}


def main() -> None:
    """Compare at each number of images and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[4000, 20_000])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--photographs", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    figures = []
    with (
        tempfile.TemporaryDirectory() as home,
        get_context("spawn").Pool(PROCESSES, keep_freed_memory) as pool,
        started_workers(Path(home)) as client,
    ):
        for count in options.images:
            directory = make_photographs(options.photographs / str(count), count)
            figures.append(compare(client, pool, directory, options.rounds))
            print(figures[-1], flush=True)
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / "pipeline.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
