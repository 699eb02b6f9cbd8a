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

from benchmarks import FIGURES
from benchmarks.photographs import make_photographs
from benchmarks.pipeline import started_workers, time_job
from shoal.producer.client import Client

# Files that have changed just now are read again.
SETTLE_SECONDS = 3.0
CACHE = Path("shards") / "cache"


def time_first(client: Client, home: Path, directory: Path, features: str) -> dict[str, Any]:
    """Time a job that knows nothing, and the same without the cache."""
    shutil.rmtree(home / CACHE, ignore_errors=True)
    plain = time_job(client, directory, features=features, cache=False)
    first = time_job(client, directory, features=features)
    return {"plain": plain, "first": first, "overhead": first["finished"] / plain["finished"] - 1}


def measure(client: Client, home: Path, directory: Path, options: Any) -> dict[str, Any]:
    """Measure what the cache costs the first job, and what it saves the next one."""
    count, grown = options.images, options.images + max(options.images // 100, 1)
    folder = make_photographs(directory, count)
    time.sleep(SETTLE_SECONDS)
    firsts = [time_first(client, home, folder, options.features) for _ in range(options.rounds)]
    make_photographs(folder, grown)
    time.sleep(SETTLE_SECONDS)
    second = time_job(client, folder, features=options.features)
    known = next(client.jobs(count=1)).images.known
    first = statistics.median(round_["first"]["finished"] for round_ in firsts)
    return {
        "features": options.features,
        "images": count,
        "new": grown - count,
        "known": known,
        "first_seconds": round(first, 1),
        "overhead": round(statistics.median(round_["overhead"] for round_ in firsts), 3),
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
        with started_workers(home) as client:
            figures = measure(client, home, directory, options)
    print(json.dumps(figures, indent=1))
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / "growing.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
