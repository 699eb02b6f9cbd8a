"""How long commands take to answer, and a folder of 100,000 images to be submitted.

``python -m benchmarks.commands`` writes the medians, in seconds of this machine, to
``benchmarks/figures/``.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import FIGURES
from shoal.producer.client import Client
from shoal.shared.settings import Settings

ROUNDS = 7
MANY = 100_000


def time_command(*words: str) -> float:
    """Return the median seconds that ``shoal`` takes with ``words``."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "shoal", *words], check=True, stdout=subprocess.DEVNULL
        )
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds), 3)


def make_names(directory: Path, count: int) -> Path:
    """Create ``count`` empty files that are named as images; nobody opens them here."""
    for number in range(count):
        folder = directory / f"{number // 1000:03d}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"{number:06d}.jpg").touch()
    return directory


def main() -> None:
    """Measure and write the figures."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        os.environ["SHOAL_HOME"] = str(home)
        # What one measurement has loaded is not known to the next, unless it is about that.
        os.environ.setdefault("SHOAL_CACHE_BYTES", "0")
        with Client(settings=Settings(home=home)) as client:
            directory = make_names(Path(temporary) / "names", MANY)
            job = client.submit(directory, features="pixels")
            figures = {
                "help_seconds": time_command("--help"),
                "status_seconds": time_command("status", job.id),
                f"submit_{MANY}_seconds": time_command(
                    "submit", "--features", "pixels", "--force", str(directory)
                ),
            }
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / "commands.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(figures)


if __name__ == "__main__":
    main()
