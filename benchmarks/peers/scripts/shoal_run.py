"""``shoal run`` on the folder, and what stands in its files."""

import csv
from itertools import groupby, pairwise
from pathlib import Path

from benchmarks.peers.scripts.outcome import PROCESSES, folder, print_outcome
from shoal.producer.cli.main import main


def run(*options: str) -> None:
    """Cluster the folder with some options, and print the outcome."""
    words = ["run", str(folder()), "--out", "out", "--concurrency", str(PROCESSES), *options]
    main(words, standalone_mode=False)
    labels, failures, duplicates = map(read_rows, ("labels", "failures", "duplicates"))
    groups = groupby(duplicates, key=lambda row: row["group"])
    pairs = [pair for _, rows in groups for pair in pairwise(row["path"] for row in rows)]
    print_outcome(len(labels), pairs, [row["path"] for row in failures])


def read_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a file of results."""
    with Path("out", f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))
