"""Images a second, memory and results of other programs, each between two runs of Shoal.

``python -m benchmarks.peers`` installs each program in an environment of its own, which takes
some minutes and 8 GB once, and runs it on a folder of photographs: pool, program, pool, Shoal,
pool. Each run is a whole command, from its start to its end. Figures are medians; they are
written to ``benchmarks/figures/``.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

from benchmarks import FIGURES
from benchmarks.peers.environments import InstallationError, make_environment
from benchmarks.peers.folders import find_originals, make_broken_folder, make_folder
from benchmarks.peers.measuring import Run, adopted_orphans, run_program
from benchmarks.peers.outcomes import (
    count_others,
    find_error,
    judge_broken,
    read_outcome,
    share_of_copies,
)
from benchmarks.peers.programs import PROGRAMS, SHOAL, Program, Purpose
from benchmarks.pipeline import PROCESSES, time_pool
from shoal.worker.memory import keep_freed_memory

ROOT = Path(__file__).parents[2]
SCRIPTS = "benchmarks.peers.scripts"
TIMEOUT_SECONDS = 180.0
# Neither program needs to tell its makers about these runs.
SILENT = {"RAY_USAGE_STATS_ENABLED": "0", "SENTRY_OPT_OUT": "1"}


def run_script(program: Program, python: Path, folder: Path) -> Run:
    """Run a program's script on a folder, in a directory of its own that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True) as temporary:
        directory = Path(temporary)
        environment = {
            "PATH": f"{python.parent}:{os.defpath}",
            "HOME": temporary,
            "TMPDIR": temporary,
            "RAY_TMPDIR": temporary,
            "SHOAL_HOME": str(directory / "home"),
            "PYTHONPATH": str(ROOT),
            **SILENT,
        }
        command = [str(python), "-m", f"{SCRIPTS}.{program.script}", str(folder.resolve())]
        return run_program(command, directory, environment, TIMEOUT_SECONDS)


class Comparison:
    """A program beside Shoal on one folder: the figures of their rounds."""

    def __init__(self, program: Program, python: Path, pool: Pool, folder: Path) -> None:
        self._program, self._python, self._pool, self._folder = program, python, pool, folder
        self._paths = sorted(map(str, folder.rglob("*.jpg")))
        self._rows: dict[str, list[dict[str, float]]] = {"program": [], "shoal": []}

    def measure(self, rounds: int) -> dict[str, Any]:
        """Return the medians of some rounds, and what the program found in the last one."""
        for _ in range(rounds):
            run = self._measure("program", self._program, self._python)
            if error := find_error(run):
                return {"error": error}
            twin = self._measure("shoal", SHOAL[self._program.purpose], Path(sys.executable))
            assert not find_error(twin), twin.messages
        pairs = zip(self._rows["program"], self._rows["shoal"], strict=True)
        ratios = [one["seconds"] / shoal["seconds"] for one, shoal in pairs]
        return {
            "images": len(self._paths),
            **self._medians("program", ""),
            **self._medians("shoal", "shoal_"),
            "times_as_long_as_shoal": round(statistics.median(ratios), 2),
            **self._describe(run, ""),
            **self._describe(twin, "shoal_"),
        }

    def _measure(self, name: str, program: Program, python: Path) -> Run:
        before = time_pool(self._pool, self._paths)
        run = run_script(program, python, self._folder)
        pool = (before + time_pool(self._pool, self._paths)) / 2
        self._rows[name].append(
            {
                "seconds": run.seconds,
                "share": pool / run.seconds,
                "megabytes": run.peak_bytes / 1e6,
            }
        )
        print(f"{program.name}: {run.seconds:.1f} s, pool {pool:.2f} s", flush=True)
        return run

    def _medians(self, name: str, prefix: str) -> dict[str, float]:
        rows = self._rows[name]
        seconds, share, megabytes = (
            statistics.median(row[key] for row in rows) for key in ("seconds", "share", "megabytes")
        )
        return {
            f"{prefix}images_per_second": round(len(self._paths) / seconds),
            f"{prefix}share": round(share, 3),
            f"{prefix}megabytes": round(megabytes),
        }

    def _describe(self, run: Run, prefix: str) -> dict[str, float]:
        """Return what came of the known copies, if the program looks for any."""
        if self._program.purpose is Purpose.CLUSTERS:
            return {}
        pairs, originals = read_outcome(run)["pairs"], find_originals(self._folder)
        return {
            f"{prefix}copies_found": round(share_of_copies(pairs, originals), 3),
            f"{prefix}others_grouped": count_others(pairs, originals),
        }


def compare(program: Program, pool: Pool, directory: Path, rounds: int) -> dict[str, Any]:
    """Return the figures of a program, or why there are none."""
    row: dict[str, Any] = {
        "program": program.name,
        "version": program.version,
        "purpose": program.purpose,
        "rounds": rounds,
    }
    try:
        python = make_environment(program, directory / "environments")
    except InstallationError as error:
        return row | {"error": str(error)}
    # The first run of a program is a trial, too: its files are in memory afterwards.
    broken = judge_broken(run_script(program, python, make_broken_folder(directory)))
    folder = make_folder(directory, program.images)
    return row | {"broken": broken} | Comparison(program, python, pool, folder).measure(rounds)


def main() -> None:
    """Compare each program and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", nargs="+", help="those whose script has such a name")
    parser.add_argument("--images", type=int, help="at most, for a trial")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, default=Path(".benchmarks", "peers").absolute())
    options = parser.parse_args()
    # The programs see two cores, on any machine.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:PROCESSES])
    with adopted_orphans(), get_context("spawn").Pool(PROCESSES, keep_freed_memory) as pool:
        python, broken = Path(sys.executable), make_broken_folder(options.directory)
        shoal = judge_broken(run_script(SHOAL[Purpose.CLUSTERS], python, broken))
        for program in PROGRAMS:
            if options.programs and program.script not in options.programs:
                continue
            if options.images:
                program = replace(program, images=min(program.images, options.images))
            row = compare(program, pool, options.directory, options.rounds)
            print(row, flush=True)
            write_figures(FIGURES / "peers.json", shoal, row)


def write_figures(path: Path, shoal_broken: str, row: dict[str, Any]) -> None:
    """Write a program's figures among those of the others that the file has."""
    written = json.loads(path.read_text())["programs"] if path.exists() else []
    rows = {old["program"]: old for old in written} | {row["program"]: row}
    names = [program.name for program in PROGRAMS if program.name in rows]
    figures = {"shoal_broken": shoal_broken, "programs": [rows[name] for name in names]}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
