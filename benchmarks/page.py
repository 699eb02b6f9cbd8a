"""How long the page of a large job takes to open in a browser, and its map.

``python -m benchmarks.page 100000`` links so many photographs, clusters them by made-up pixels (see
``benchmarks/made_up.py``), serves the page, and opens it in the system's Chromium without a
graphics card: five times each with a server that has just started, and again with the same one.
The fastest of five is written to ``benchmarks/figures/``: whatever else the machine does only
makes it slower.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import FIGURES
from benchmarks.made_up import OPTIONS
from benchmarks.pipeline import PROCESSES
from benchmarks.report import OPTIONS as CHROMIUM_OPTIONS
from benchmarks.scale import link_photographs, running
from shoal.producer.client import Client
from shoal.producer.submission.folder import read_folder
from shoal.shared.settings import Settings
from shoal.shared.tasks import BATCHES, CALLBACKS

RUNS = 5
TIMEOUT_MILLISECONDS = 120_000
WORKER_OPTIONS = ("--without-gossip", "--without-mingle", "--without-heartbeat")
FIRST_PICTURE = """() => {
  const picture = document.querySelector(".gallery img");
  return picture && picture.complete && picture.naturalWidth > 0;
}"""


def make_job(home: Path, folder: Path) -> str:
    """Cluster the files of a folder, none of which is read; return the job's id."""
    workers = [
        ["benchmarks.made_up", "worker", "-Q", queue, "-c", str(n), "-n", f"{queue}@%h"]
        for queue, n in ((BATCHES, PROCESSES), (CALLBACKS, 1))
    ]
    with (
        Client(settings=Settings(home=home), start_workers=False) as client,
        running([[*worker, *WORKER_OPTIONS] for worker in workers], home),
    ):
        job = client.submit_listing(read_folder(folder), force=True, **OPTIONS)
        job.wait()
        return job.id


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """Serve the page meanwhile; yield where."""
    command = [sys.executable, "-m", "shoal", "serve", "--port", "0"]
    environment = {**os.environ, "SHOAL_HOME": str(home)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            yield process.stderr.readline().split()[-1].rstrip("/")
        finally:
            process.send_signal(signal.SIGTERM)


def time_opening(page: Page, address: str) -> dict[str, float]:
    """Return the seconds until a job's page shows a picture, and until its map can be used."""
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(FIRST_PICTURE)
    picture = time.perf_counter() - began
    page.locator("[data-map]").scroll_into_view_if_needed()
    page.wait_for_selector(".map[data-ready]")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    return {"picture": picture, "map": time.perf_counter() - began}


def measure(browser: Browser, home: Path, job_id: str) -> dict[str, float]:
    """Open the page of a job with new servers, and again with each."""
    times: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for _ in range(RUNS):
        with serving(home) as address:
            for kept in times.values():
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.set_default_timeout(TIMEOUT_MILLISECONDS)
                kept.append(time_opening(page, f"{address}/jobs/{job_id}"))
                page.close()
    return {
        f"{server}_{what}_seconds": round(min(run[what] for run in runs), 2)
        for server, runs in times.items()
        for what in runs[0]
    }


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=int, nargs="*", default=[100_000])
    parser.add_argument("--directory", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    options.directory.mkdir(exist_ok=True)
    figures: list[dict[str, Any]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS
        )
        for count in options.images:
            folder = link_photographs(options.directory.resolve(), count)
            with tempfile.TemporaryDirectory() as home:
                job_id = make_job(Path(home), folder)
                figures.append({"images": count, **measure(browser, Path(home), job_id)})
        browser.close()
    (FIGURES / "page.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(*figures, sep="\n")


if __name__ == "__main__":
    main()
