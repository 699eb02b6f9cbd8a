"""How long a report takes to make and to open in a browser, and how large it is.

``python -m benchmarks.report 20000 50000`` makes reports of so many random points, with crops of
photographs as thumbnails and pictures as a job of so many images would have them, and opens each
five times in the system's Chromium, from a file and without a graphics card. The fastest of five
is written to ``benchmarks/figures/``: whatever else the machine does only makes it slower.
Then its map is dragged, and the frames are counted.
"""

import json
import shutil
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from benchmarks import FIGURES
from benchmarks.photographs import crop, load_sources
from shoal.producer.report import Contents, render_report
from shoal.producer.report.points import Points
from shoal.shared.findings import ClusterSummary, DuplicateCounts, Summary
from shoal.shared.jobs import ImageCounts, JobRequest, State, Status
from shoal.worker.images.thumbnails import encode, make_sheet, make_tiles

N_CLUSTERS = 20
BATCH = 1024
RUNS = 5
DRAG_SECONDS = 2.0
COUNT_FRAMES = """() => {
  window.frames = 0;
  const count = () => { window.frames += 1; requestAnimationFrame(count); };
  requestAnimationFrame(count);
}"""
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)


def make_crops(count: int, size: int) -> NDArray[np.uint8]:
    """Return crops of photographs, of shape (count, size, size, 3)."""
    generator = np.random.default_rng(0)
    sources = load_sources()
    crops = (crop(sources[n % len(sources)], generator) for n in range(count))
    return np.stack([np.asarray(picture.resize((size, size))) for picture in crops])


def make_contents(n_points: int) -> Contents:
    """Return what a report of ``n_points`` images in 20 clusters is made of."""
    points = make_points(n_points)
    first = points.paths[: 8 * N_CLUSTERS]
    pictures = [encode(Image.fromarray(tile)) for tile in make_crops(len(first), 96)]
    starts = [*points.starts, n_points]
    tiles = make_tiles(make_crops(BATCH, 32))
    return Contents(
        status=make_status(n_points),
        summary=make_summary(points, pictures_each=8),
        points=points,
        failures=[],
        pictures=dict(zip(first, pictures, strict=True)),
        sheets=[make_sheet(tiles[: b - a], n_points) for a, b in pairwise(starts)],
    )


def make_points(n_points: int) -> Points:
    """Return points around 20 centres."""
    generator = np.random.default_rng(0)
    centres = generator.normal(scale=20, size=(N_CLUSTERS, 2))
    labels = generator.integers(0, N_CLUSTERS, n_points)
    xs, ys = (centres[labels] + generator.normal(scale=4, size=(n_points, 2))).T.tolist()
    paths = [f"{n // 1000:03}/{n:06}-{generator.bytes(6).hex()}.jpg" for n in range(n_points)]
    return Points(paths, labels.tolist(), xs, ys, list(range(0, n_points, BATCH)), ys, xs)


def make_summary(points: Points, pictures_each: int) -> Summary:
    """Return what a job of these points has found."""
    sizes = np.bincount(points.labels, minlength=N_CLUSTERS).tolist()
    return Summary(
        clusters=[
            ClusterSummary(
                label=label,
                size=size,
                representatives=points.paths[pictures_each * label :][:pictures_each],
            )
            for label, size in enumerate(sizes)
        ],
        outliers=points.paths[:20],
        map_landmarks=len(points),
        rows_fitted=len(points),
        n_components=50,
        explained_variance_ratio=[0.2, 0.1],
        inertia=1.0,
        versions={},
        duplicates=DuplicateCounts(groups=0, images=0, exact_copies=0),
    )


def make_status(n_images: int) -> Status:
    """Return the status of a finished job."""
    return Status(
        job_id="0" * 12,
        state=State.FINISHED,
        images=ImageCounts(total=n_images, loaded=n_images, failed=0),
        progress=1.0,
        images_per_second=None,
        eta_seconds=None,
        created_at=0.0,
        started_at=0.0,
        finished_at=0.0,
        expires_at=None,
        error=None,
        request=JobRequest(source="/photographs", clusters=N_CLUSTERS),
    )


def time_opening(browser: Browser, file: Path) -> tuple[float, float]:
    """Return the seconds until a report's map is shown, and those its main thread was at work."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    started = time.perf_counter()
    page.goto(file.as_uri(), wait_until="commit")
    page.wait_for_selector(".map[data-ready]", timeout=60_000)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    seconds = time.perf_counter() - started
    metrics = session.send("Performance.getMetrics")["metrics"]
    page.close()
    return seconds, next(m["value"] for m in metrics if m["name"] == "TaskDuration")


def time_dragging(browser: Browser, file: Path) -> float:
    """Return the frames a second while a report's map is dragged for two seconds."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(file.as_uri())
    page.wait_for_selector(".map[data-ready]", timeout=60_000)
    canvas = page.locator(".map .canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box() or {"x": 0, "y": 0}
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down()
    page.evaluate(COUNT_FRAMES)
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < DRAG_SECONDS:
        page.mouse.move(box["x"] + 300 + 100 * passed, box["y"] + 300 + 50 * passed)
    frames = float(page.evaluate("frames"))
    page.mouse.up()
    page.close()
    return frames / passed


def measure(browser: Browser, n_points: int, directory: Path) -> dict[str, float]:
    """Return the figures of a report of ``n_points`` images."""
    contents = make_contents(n_points)
    started = time.perf_counter()
    report = render_report(contents)
    made = time.perf_counter() - started
    file = directory / f"{n_points}.html"
    file.write_bytes(report)
    opened, busy = zip(*(time_opening(browser, file) for _ in range(RUNS)), strict=True)
    return {
        "points": n_points,
        "megabytes": round(len(report) / 1e6, 1),
        "make_seconds": round(made, 1),
        "open_seconds": round(min(opened), 2),
        "busy_seconds": round(min(busy), 2),
        "frames_per_second": round(max(time_dragging(browser, file) for _ in range(3))),
    }


def main() -> None:
    """Measure and write the figures."""
    sizes = [int(size) for size in sys.argv[1:]] or [20_000, 50_000]
    chromium = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        figures = [measure(browser, size, Path(directory)) for size in sizes]
        browser.close()
    (FIGURES / "report.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(*figures, sep="\n")


if __name__ == "__main__":
    main()
