"""The script that Shoal grew from: scikit-image and scikit-learn, image by image."""

from collections.abc import Sequence
from typing import Any

from benchmarks.peers.scripts.outcome import IMAGE_SIZE, cluster, list_images, report_labels


def label_images(paths: Sequence[str]) -> Any:
    """Return the labels that the tutorial's steps give: load, resize, flatten, fit."""
    import numpy as np
    from skimage.io import imread_collection
    from skimage.transform import resize

    images = imread_collection(list(paths))
    return cluster(np.array([resize(image, (IMAGE_SIZE,) * 2).flatten() for image in images]))


if __name__ == "__main__":
    found = list_images()
    report_labels(found, label_images(found))
