"""What a job of any size takes: time of each stage, memory of each process, bytes an image.

``python -m benchmarks.scale`` clusters 10,000, 100,000 and 1,000,000 photographs with ``shoal run
--out``: hard links to 4,000 of them, each size between two runs of a bare process pool that decodes
the same files. ``--paths 10000000`` clusters so many made-up images instead, for which loading is
replaced by its result (see ``benchmarks/made_up.py``). Figures are added to
``benchmarks/figures/scale.json``; ``python -m benchmarks.scale_picture`` draws them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import shoal.worker.blas  # noqa: F401  the pool gets one thread a process, as the workers have
from benchmarks import FIGURES
from benchmarks.memory_watch import watched
from benchmarks.photographs import make_photographs
from benchmarks.pipeline import PROCESSES, QUICK, time_pool
from shoal.producer.client import Client
from shoal.shared.settings import Settings
from shoal.shared.tasks import BATCHES, CALLBACKS
from shoal.worker.memory import keep_freed_memory

PHOTOGRAPHS = 4000
SIZES = (10_000, 100_000, 1_000_000)
PER_FOLDER = 1000
OPTIONS = ("-l", "info", "--without-gossip", "--without-mingle", "--without-heartbeat")
FIGURES_FILE = FIGURES / "scale.json"


def link_photographs(directory: Path, count: int) -> Path:
    """Make a folder of ``count`` hard links to 4,000 photographs; return it."""
    sources = sorted(make_photographs(directory / "4000", PHOTOGRAPHS).rglob("*.jpg"))
    folder = directory / f"links-{count}"
    for number in range(count):
        path = folder / f"{number // PER_FOLDER:04}" / f"{number:07}.jpg"
        if number % PER_FOLDER == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.link(sources[number % len(sources)], path)
    return folder


def time_decoding(folder: Path) -> float:
    """Return the seconds in which a bare pool decodes a folder."""
    paths = sorted(str(path) for path in folder.rglob("*.jpg"))
    with get_context("spawn").Pool(PROCESSES, keep_freed_memory) as pool:
        time_pool(pool, paths[:PROCESSES])  # it imports first
        return time_pool(pool, paths)


def _make_environment(home: Path) -> dict[str, str]:
    # Links to one photograph have the same content, of which the cache would know the rows.
    return {**os.environ, "SHOAL_HOME": str(home), "SHOAL_CACHE_BYTES": "0"}


@contextmanager
def running(commands: Sequence[Sequence[str]], home: Path) -> Iterator[None]:
    """Keep processes running beside the job; with Python's ``-m`` before each."""
    environment = _make_environment(home)
    with (home / "made-up.log").open("ab") as log:
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", *command], env=environment, stdout=log, stderr=log
            )
            for command in commands
        ]
        try:
            yield
        finally:
            for process in processes:
                process.terminate()
                process.wait()


def measure(home: Path, command: Sequence[str], out: Path) -> dict[str, Any]:
    """Run a command that clusters images into ``out``, and measure its job."""
    with Client(settings=Settings(home=home), start_workers=False) as client:
        environment = _make_environment(home)
        before = client.redis.info("all")
        with watched(int(before["process_id"])) as peaks:
            began = time.time()
            subprocess.run(
                [sys.executable, "-m", *command],
                env=environment,
                stdout=subprocess.DEVNULL,
                check=True,
            )
            took = time.time() - began
        job = client.job("last")
        after, fields = client.redis.info("all"), job.ledger.fields()
        size = {"images": int(fields["total"]), "batches": int(fields["batches"])}
        return {
            **size,
            **_describe_time(fields, began, (out / "job.json").stat().st_mtime, took),
            **{f"{role}_megabytes": round(peak / 1e6) for role, peak in peaks.items()},
            **_describe_bytes(before, after, home, size["images"]),
        }


def _describe_time(
    fields: dict[str, str], began: float, written: float, took: float
) -> dict[str, float]:
    """Return the seconds of each stage, all on the clock of one machine."""
    submitted, started = float(fields["created_at"]), float(fields["started_at"])
    loaded, labelled = float(fields["loading_ended_at"]), float(fields["labelling_ended_at"])
    finished = float(fields["finished_at"])
    seconds = {
        "submit": submitted - began,
        "loading": loaded - started,
        "fitting": float(fields["fitting_seconds"]),
        "labelling": labelled - loaded - float(fields["fitting_seconds"]),
        "finishing": finished - labelled,
        "finished": finished - submitted,
        "writing": written - finished,
        "command": took,
    }
    return {f"{name}_seconds": round(value, 2) for name, value in seconds.items()}


def _describe_bytes(
    before: dict[str, Any], after: dict[str, Any], home: Path, n_images: int
) -> dict[str, float]:
    """Return what went to and from Redis, and what it and the disk keep of an image."""
    net = ("total_net_input_bytes", "total_net_output_bytes")
    stored = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    return {
        "redis_peak_megabytes": round(after["used_memory_peak"] / 1e6),
        "redis_bytes_an_image": round(after["used_memory"] / n_images, 1),
        "network_bytes_an_image": round(sum(after[n] - before[n] for n in net) / n_images, 1),
        "disk_bytes_an_image": round(stored / n_images, 1),
        "commands": after["total_commands_processed"] - before["total_commands_processed"],
    }


def measure_photographs(directory: Path, count: int) -> dict[str, Any]:
    """Cluster so many photographs between two runs of the pool."""
    folder = link_photographs(directory, count)
    pools = [time_decoding(folder)]
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        home, out = Path(scratch, "home"), Path(scratch, "out")
        home.mkdir()
        options = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]
        processes = f"--concurrency={PROCESSES}"
        command = ["shoal", "run", str(folder), f"--out={out}", processes, *options]
        figures = measure(home, command, out)
    pools.append(time_decoding(folder))
    pool = sum(pools) / 2
    shares = {
        f"{name}_share": round(pool / figures[f"{name}_seconds"], 3)
        for name in ("loading", "finished")
    }
    return {
        "kind": "photographs",
        "pool_seconds": [round(p, 2) for p in pools],
        **figures,
        **shares,
    }


def measure_paths(directory: Path, count: int) -> dict[str, Any]:
    """Cluster so many made-up images."""
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        home, out = Path(scratch, "home"), Path(scratch, "out")
        home.mkdir()
        workers = [
            [
                "benchmarks.made_up",
                "worker",
                "-Q",
                queue,
                "-c",
                str(n),
                "-n",
                f"{queue}@%h",
                *OPTIONS,
            ]
            for queue, n in ((BATCHES, PROCESSES), (CALLBACKS, 1))
        ]
        with running(workers, home):
            producer = ["benchmarks.made_up", "producer", str(count), str(out)]
            return {"kind": "made up", **measure(home, producer, out)}


def main() -> None:
    """Measure what is asked for and add it to the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="*", default=SIZES)
    parser.add_argument("--paths", type=int, help="so many made-up images instead")
    parser.add_argument("--directory", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    options.directory.mkdir(exist_ok=True)
    directory = options.directory.resolve()
    known = json.loads(FIGURES_FILE.read_text()) if FIGURES_FILE.exists() else []
    figures = {(row["kind"], row["images"]): row for row in known}
    sizes = [options.paths] if options.paths else options.images
    for size in sizes:
        row = (measure_paths if options.paths else measure_photographs)(directory, size)
        print(json.dumps(row), flush=True)
        figures[row["kind"], row["images"]] = row
        rows = sorted(figures.values(), key=lambda row: (row["kind"] == "made up", row["images"]))
        FIGURES_FILE.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
