"""A job of made-up images: a producer and workers for which loading is replaced by its result.

``python -m benchmarks.made_up worker OPTIONS`` is a worker; ``python -m benchmarks.made_up producer
COUNT OUT`` submits so many paths, waits for the job and writes its results. No file is read: all
else is what it is in any job.
"""

import os
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from shoal.producer.client import Client
from shoal.producer.export.directory import prepare_directory, write_directory
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.paths import PathSorter
from shoal.shared.jobs import JobRequest
from shoal.worker import Checkpoint
from shoal.worker.stages.cache import Recall
from shoal.worker.stages.loading import reading
from shoal.worker.stages.loading.fetching import LocatedImages
from shoal.worker.stages.loading.reading import Load, LoadedImages, make_room

SOURCE = Path("/made-up")
CLUSTERS = 20
PER_FOLDER = 1000
# The smallest images that have hashes.
OPTIONS: dict[str, Any] = {
    "features": "pixels",
    "image_size": 16,
    "components": 20,
    "clusters": CLUSTERS,
}


def make_paths(count: int) -> PathSorter:
    """Return ``count`` paths, in folders of a thousand."""
    sorter = PathSorter()
    for folder in range(0, count, PER_FOLDER):
        names = range(folder, min(folder + PER_FOLDER, count))
        sorter.add(f"{folder // PER_FOLDER:06}/IMG_{name:08}.jpg" for name in names)
    return sorter


def make_images(
    request: JobRequest,
    paths: list[str],
    load: Load,  # noqa: ARG001  of load_images
    checkpoint: Checkpoint,
    recall: Recall | None = None,  # noqa: ARG001  of load_images
    located: LocatedImages | None = None,  # noqa: ARG001  of load_images
) -> LoadedImages:
    """Make noise around one of 20 colours for each path: the same whoever makes it."""
    checkpoint()
    pixels, digests, ratios = make_room(request, len(paths))
    generator = np.random.default_rng(zlib.crc32(os.fsencode(paths[0])))
    noise = generator.integers(0, 96, pixels.shape, np.uint8)
    colours = np.random.default_rng(0).integers(0, 160, (CLUSTERS, 1, 1, 3), np.uint8)
    pixels[:] = noise + colours[generator.integers(0, CLUSTERS, len(paths))]
    digests[:] = generator.integers(1, 2**63, len(paths))
    return LoadedImages(pixels, digests, ratios, [])


def work(options: list[str]) -> None:
    """Run a worker that makes images instead of loading them."""
    # In this process and its pool only: whoever imports this module loads as ever.
    reading.load_images = make_images
    from shoal.worker.app import app

    sys.exit(app.start(["worker", *options]))


def submit(count: int, out: Path) -> None:
    """Submit made-up paths, wait for the job and write its results."""
    folder = Listing(str(SOURCE), make_paths(count).pack(), Counter(), [])
    prepare_directory(out, [str(SOURCE)])
    with Client(start_workers=False) as client:
        job = client.submit_listing(folder, force=True, **OPTIONS)
        job.wait()
        write_directory(job, out)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["worker", *options]:
            work(options)
        case ["producer", count, out]:
            submit(int(count), Path(out))
