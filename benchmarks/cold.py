"""Small jobs: a run from the prompt to its files, and two commands with workers that are warm.

``python -m benchmarks.cold`` takes turns, A B A B A, on one machine: a script's imports of
scikit-learn, matplotlib, scikit-image and Celery beside ``shoal run`` with a new home, and a bare
process pool beside ``shoal submit`` and ``shoal wait``. Figures are medians of ratios, written to
``benchmarks/figures/``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks import FIGURES
from benchmarks.photographs import make_photographs
from benchmarks.pipeline import PROCESSES, started_workers, time_pool
from shoal.worker.memory import keep_freed_memory

IMPORTS = (
    "import sklearn.cluster, sklearn.decomposition, matplotlib.pyplot, skimage.io,"
    " skimage.transform; from celery import Celery"
)
# Every job decodes all of its images, whatever those before it have loaded.
QUICK_ARGUMENTS = (
    *("--features", "pixels", "--image-size", "32", "--clusters", "5"),
    "--no-cache",
)
RUNS: dict[str, tuple[str, ...]] = {"tutorial": ("--recipe", "tutorial"), "default": ()}


def time_process(*words: str | Path, home: Path | None = None) -> float:
    """Return the seconds that Python takes with ``words``, its start and its end included.

    Args:
        words: What comes after ``python``.
        home: Of the embedded server.
    """
    environment = os.environ | ({"SHOAL_HOME": str(home)} if home else {})
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *map(str, words)],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def time_run(_: int, folder: Path, options: tuple[str, ...]) -> float:
    """Return the seconds of ``shoal run`` with a home that is new, until all files are there."""
    with tempfile.TemporaryDirectory() as temporary:
        out, home = Path(temporary) / "out", Path(temporary) / "home"
        return time_process("-m", "shoal", "run", folder, "--out", out, *options, home=home)


def take_turns(a: Callable[[], float], b: Callable[[int], float], rounds: int) -> list[float]:
    """Return each time of ``b``, divided by the mean time of ``a`` before and after it.

    The machine's speed drifts from one to the other.
    """
    ratios, before = [], a()
    for number in range(rounds):
        between, after = b(number), a()
        ratios.append(between / ((before + after) / 2))
        print(f"{before:.2f} s, {between:.2f} s, {after:.2f} s", flush=True)
        before = after
    return ratios


def compare_runs(folder: Path, rounds: int) -> dict[str, float]:
    """Return how many times as long as a script's imports a run takes, by recipe."""
    time_imports = partial(time_process, "-P", "-c", IMPORTS)
    time_imports()
    time_run(0, folder, ())  # which reads all files once
    figures = {}
    for name, options in RUNS.items():
        run = partial(time_run, folder=folder, options=options)
        figures[name] = round(statistics.median(take_turns(time_imports, run, rounds)), 2)
    return figures


def compare_commands(folder: Path, rounds: int) -> float:
    """Return the share of a pool's rate that ``shoal submit`` and ``shoal wait`` reach."""
    paths = sorted(map(str, folder.rglob("*.jpg")))
    with (
        tempfile.TemporaryDirectory() as temporary,
        get_context("spawn").Pool(PROCESSES, keep_freed_memory) as pool,
        started_workers(Path(temporary)),
    ):
        home = Path(temporary)

        def submit_and_wait(number: int) -> float:
            seed = ("--random-state", str(number))
            submit = ("submit", folder, "--force", *QUICK_ARGUMENTS, *seed)
            return sum(
                time_process("-m", "shoal", *command, home=home)
                for command in (submit, ("wait", "last"))
            )

        time_pool(pool, paths)
        submit_and_wait(0)
        ratios = take_turns(partial(time_pool, pool, paths), submit_and_wait, rounds)
    return round(1 / statistics.median(ratios), 3)


def main() -> None:
    """Compare and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=300, help="of a run")
    parser.add_argument("--images-of-commands", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--photographs", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    counts = (options.images, options.images_of_commands)
    small, larger = (make_photographs(options.photographs / str(count), count) for count in counts)
    figures = {
        "images": options.images,
        "times_the_imports": compare_runs(small, options.rounds),
        "images_of_commands": options.images_of_commands,
        "share_of_the_pool": compare_commands(larger, options.rounds),
    }
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / "cold.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(figures)


if __name__ == "__main__":
    main()
