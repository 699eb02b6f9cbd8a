"""Dask: a bag of paths, mapped to pixels by a process a core, then the tutorial's steps."""

from typing import Any

import numpy as np

from benchmarks.peers.scripts.outcome import (
    IMAGE_SIZE,
    PROCESSES,
    cluster,
    list_images,
    report_labels,
)


def load(path: str) -> Any:
    """Return the pixels of an image, as one row."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((IMAGE_SIZE,) * 2)).ravel()


if __name__ == "__main__":
    import dask.bag

    found = list_images()
    rows = dask.bag.from_sequence(found).map(load)
    pixels = np.stack(rows.compute(scheduler="processes", num_workers=PROCESSES))
    report_labels(found, cluster(pixels))
