"""How many times as fast two processes load photographs as one does.

``python -m benchmarks.second_process`` runs jobs of workers with one and with two processes, each
beside a bare pool of as many, in turn: 1, 2, 2, 1, 1, 2 …. What the pool does not reach, such as
for cores that share a cache, no job can. The medians are written to ``benchmarks/figures/``.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from benchmarks import FIGURES
from benchmarks.photographs import make_photographs
from benchmarks.pipeline import started_workers, time_job, time_pool
from shoal.producer.client import Client
from shoal.worker.memory import keep_freed_memory

COUNTS = (1, 2)

Time = Callable[[], float]


def compare(one: Time, two: Time, rounds: int) -> float:
    """Return the median of how many times as fast ``two`` is, timed in turn with ``one``."""
    ratios = []
    for number in range(rounds):
        # The other one first in every second round: the speed of the machine drifts.
        if number % 2:
            seconds_of_two, seconds_of_one = two(), one()
        else:
            seconds_of_one, seconds_of_two = one(), two()
        ratios.append(seconds_of_one / seconds_of_two)
    return round(median(ratios), 3)


def time_loading(client: Client, directory: Path) -> float:
    """Return the seconds in which a job loads a folder."""
    return time_job(client, directory)["loading"]


def measure(directory: Path, rounds: int) -> dict[str, float]:
    """Measure jobs and pools on the photographs of ``directory``."""
    paths = sorted(map(str, directory.rglob("*.jpg")))
    with ExitStack() as stack:
        jobs, pools = list[Time](), list[Time]()
        for count in COUNTS:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            client = stack.enter_context(started_workers(home, count))
            pool = stack.enter_context(get_context("spawn").Pool(count, keep_freed_memory))
            jobs.append(partial(time_loading, client, directory))
            pools.append(partial(time_pool, pool, paths))
        for time in (*jobs, *pools):
            time()  # whose processes have read every file then
        ratios = {
            name: compare(one, two, rounds)
            for name, (one, two) in {"job": jobs, "pool": pools}.items()
        }
    return {"images": len(paths), **ratios}


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--photographs", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--try", dest="is_trial", action="store_true", help="write nothing")
    options = parser.parse_args()
    directory = make_photographs(options.photographs / str(options.images), options.images)
    figures = measure(directory, options.rounds)
    print(figures)
    if not options.is_trial:
        (FIGURES / "second_process.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
