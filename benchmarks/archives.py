"""Speed of a job on a tar and on a zip, beside the same photographs in a folder.

``python -m benchmarks.archives --images 20000`` packs the photographs, starts two workers, and runs
a bare process pool on the files and jobs on folder, tar and zip in turn. Figures are medians of
ratios of loading, which do not drift with the machine's load as seconds do.
"""

import argparse
import json
import random
import statistics
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path

from benchmarks import FIGURES
from benchmarks.photographs import make_photographs
from benchmarks.pipeline import PROCESSES, started_workers, time_job, time_pool
from shoal.producer.client import Client
from shoal.worker.memory import keep_freed_memory

FOLDER = "folder"


def make_archives(directory: Path) -> Iterator[tuple[str, Path]]:
    """Pack photographs; yield what each archive is, and where."""
    files = sorted(directory.rglob("*.jpg"))
    shuffled = random.Random(0).sample(files, len(files))
    for name, order in (("tar", files), ("tar, shuffled", shuffled)):
        path = directory.with_name(f"{directory.name}-{name.replace(', ', '-')}.tar")
        if not path.exists():
            with tarfile.open(path, "w") as tar:
                for file in order:
                    tar.add(file, str(file.relative_to(directory)))
        yield name, path
    path = directory.with_suffix(".zip")
    if not path.exists():
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in files:
                packed.write(file, file.relative_to(directory))
    yield "zip", path


def compare(client: Client, pool: Pool, directory: Path, rounds: int) -> list[dict[str, object]]:
    """Return the medians of each place's rate of loading beside pool and folder."""
    paths = sorted(map(str, directory.rglob("*.jpg")))
    places = {FOLDER: directory, **dict(make_archives(directory))}
    of_pool, of_folder = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    submitting = defaultdict[str, list[float]](list)
    for number in range(rounds):
        pool_seconds = time_pool(pool, paths)
        times = {
            name: time_job(client, place, random_state=number) for name, place in places.items()
        }
        pool_seconds = (pool_seconds + time_pool(pool, paths)) / 2
        print(f"pool {pool_seconds:.2f} s,", json.dumps(times), flush=True)
        for name, job in times.items():
            of_pool[name].append(pool_seconds / job["loading"])
            of_folder[name].append(times[FOLDER]["loading"] / job["loading"])
            submitting[name].append(job["submit"])
    return [
        {
            "place": name,
            "images": len(paths),
            "of_pool": round(statistics.median(of_pool[name]), 3),
            "of_folder": round(statistics.median(of_folder[name]), 3),
            "submit_seconds": round(statistics.median(submitting[name]), 3),
        }
        for name in places
    ]


def main() -> None:
    """Compare and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--photographs", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    directory = make_photographs(options.photographs / str(options.images), options.images)
    with (
        tempfile.TemporaryDirectory() as home,
        get_context("spawn").Pool(PROCESSES, keep_freed_memory) as pool,
        started_workers(Path(home)) as client,
    ):
        figures = compare(client, pool, directory, options.rounds)
    for figure in figures:
        print(figure)
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / "archives.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
