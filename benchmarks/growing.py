"""What a folder costs that has grown: ``python -m benchmarks.growing 20000``.

Two workers, already started, load photographs without the cache and with an empty one in turn, A B
A B; then the folder gets a hundredth more, and is clustered again with what is known. Figures are
ratios of jobs in one run, and are written to ``benchmarks/figures/``.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks import FIGURES
from benchmarks.photographs import make_photographs
from benchmarks.pipeline import started_workers, time_job
from shoal.producer.client import Client

# Files that have changed just now are read again.
SETTLE_SECONDS = 3.0
CACHE = Path("shards") / "cache"
CACHE_BYTES = 2**34


def read_processor_seconds() -> float:
    """Return the processor time that the workers have taken, whatever else the machine does."""
    workers = psutil.Process().children(recursive=True)
    return sum(sum(worker.cpu_times()[:2]) for worker in workers)


def time_first(client: Client, home: Path, directory: Path, features: str) -> tuple[float, float]:
    """Time a job that knows nothing; return its seconds, and how much more than without the cache.

    More of the workers' processor time, that is: on a busy machine, seconds differ by more.
    """
    shutil.rmtree(home / CACHE, ignore_errors=True)
    begun = read_processor_seconds()
    time_job(client, directory, features=features)
    between = read_processor_seconds()
    first = time_job(client, directory, features=features, cache=True)
    overhead = (read_processor_seconds() - between) / (between - begun) - 1
    return first["finished"], overhead


def measure(client: Client, home: Path, directory: Path, options: Any) -> dict[str, Any]:
    """Measure what the cache costs the first job, and what it saves the next one."""
    count, grown = options.images, options.images + max(options.images // 100, 1)
    folder = make_photographs(directory, count)
    time.sleep(SETTLE_SECONDS)
    firsts = [time_first(client, home, folder, options.features) for _ in range(options.rounds)]
    make_photographs(folder, grown)
    time.sleep(SETTLE_SECONDS)
    second = time_job(client, folder, features=options.features, cache=True)
    known = next(client.jobs(count=1)).images.known
    first = statistics.median(seconds for seconds, _ in firsts)
    return {
        "features": options.features,
        "images": count,
        "new": grown - count,
        "known": known,
        "first_seconds": round(first, 1),
        "overhead": round(statistics.median(overhead for _, overhead in firsts), 3),
        "share": round(second["finished"] / first, 3),
        # Where the time of the second job goes.
        "stages": {name: round(seconds, 2) for name, seconds in second.items()},
    }


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=int, nargs="?", default=20_000)
    parser.add_argument("--features", default="embedding")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home, directory = Path(temporary) / "home", Path(temporary) / "photographs"
        with started_workers(home, cache_bytes=CACHE_BYTES) as client:
            figures = measure(client, home, directory, options)
    print(json.dumps(figures, indent=1))
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / "growing.json").write_text(json.dumps([figures], indent=1) + "\n")


if __name__ == "__main__":
    main()
