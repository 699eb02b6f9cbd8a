"""A worker that waits in place of decoding: ``python -m benchmarks.waiting_worker`` and options.

All that is left of a batch is what coordinates it: messages, the ledger, and the features that are
stored. A job says in its source how long each of its images takes.
"""

import sys
import time

import numpy as np
from numpy.typing import NDArray

from shoal.shared.jobs import JobRequest
from shoal.worker import Checkpoint
from shoal.worker.stages.cache import Recall
from shoal.worker.stages.loading import loading, reading, rows
from shoal.worker.stages.loading.fetching import LocatedImages
from shoal.worker.stages.loading.reading import Load, LoadedImages, make_room

SOURCE = "/waiting"
# Between two looks at whether the batch is still wanted: a process that waits takes no time.
STEP_SECONDS = 1.0
TILE_BYTES = 150  # as a job of 50,000 photographs has them


def make_source(image_seconds: float) -> str:
    """Make the source of a job whose images take ``image_seconds`` each."""
    return f"{SOURCE}/{image_seconds}"


def wait_for_images(
    request: JobRequest,
    paths: list[str],
    load: Load,  # noqa: ARG001  of load_images
    checkpoint: Checkpoint,
    recall: Recall | None = None,  # noqa: ARG001  of load_images
    located: LocatedImages | None = None,  # noqa: ARG001  of load_images
) -> LoadedImages:
    """Wait as long as loading ``paths`` takes; all of their pixels are black."""
    ends = time.monotonic() + len(paths) * float(request.source.rpartition("/")[2])
    pixels, digests, ratios = make_room(request, len(paths))
    pixels[:], digests[:] = 0, range(len(paths))
    while (left := ends - time.monotonic()) > 0:
        checkpoint()
        time.sleep(min(left, STEP_SECONDS))
    return LoadedImages(pixels, digests, ratios, [])


def make_no_hash(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a hash for each of ``images``, of none of its pixels."""
    return np.zeros(len(images), np.uint64)


def make_no_sheet(tiles: NDArray[np.void], total: int) -> bytes:  # noqa: ARG001  of make_sheet
    """Return as many bytes as a sheet of ``tiles`` has."""
    return bytes(TILE_BYTES * len(tiles))


def replace_loading() -> None:
    """Let this process wait for images from now on; only a worker of its own may call this."""
    reading.load_images = wait_for_images
    loading.perceptual_hash = make_no_hash  # type: ignore[attr-defined]
    rows.make_sheet = make_no_sheet  # type: ignore[attr-defined]


def main() -> None:
    """Run the worker."""
    replace_loading()
    from shoal.worker.app import app

    sys.exit(app.start(["worker", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
