"""Real images to try Shoal on, made from what its dependencies bring along: no download.

Usage: python -m benchmarks.sample_images DIRECTORY
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import skimage
import sklearn
from PIL import Image
from sklearn.datasets import load_digits

from benchmarks.views import CENTRE, Box, take_views

SKIMAGE_DATA = Path(skimage.__file__).parent / "data"
SKLEARN_DATA = Path(sklearn.__file__).parent / "datasets" / "images"
MATPLOTLIB_DATA = Path(mpl.get_data_path()) / "sample_data"
# Each with the place of its subject, as shares of width and height.
PHOTOGRAPHS: dict[Path, Box] = {
    SKIMAGE_DATA / "astronaut.png": (0.30, 0.02, 0.60, 0.45),
    SKIMAGE_DATA / "brick.png": CENTRE,
    SKIMAGE_DATA / "camera.png": (0.20, 0.08, 0.70, 0.60),
    SKIMAGE_DATA / "chelsea.png": (0.30, 0.10, 0.78, 0.70),
    SKIMAGE_DATA / "coffee.png": (0.30, 0.08, 0.65, 0.60),
    SKIMAGE_DATA / "coins.png": (0.25, 0.25, 0.75, 0.75),
    SKIMAGE_DATA / "grass.png": CENTRE,
    SKIMAGE_DATA / "gravel.png": CENTRE,
    SKIMAGE_DATA / "hubble_deep_field.jpg": CENTRE,
    SKIMAGE_DATA / "ihc.png": CENTRE,
    SKIMAGE_DATA / "moon.png": CENTRE,
    SKIMAGE_DATA / "motorcycle_left.png": (0.30, 0.35, 0.65, 0.70),
    SKIMAGE_DATA / "page.png": (0.30, 0.20, 0.65, 0.65),
    SKIMAGE_DATA / "retina.jpg": (0.30, 0.30, 0.70, 0.70),
    SKIMAGE_DATA / "rocket.jpg": (0.42, 0.15, 0.58, 0.75),
    SKLEARN_DATA / "china.jpg": (0.22, 0.10, 0.58, 0.62),
    SKLEARN_DATA / "flower.jpg": (0.32, 0.18, 0.73, 0.75),
    MATPLOTLIB_DATA / "grace_hopper.jpg": (0.25, 0.08, 0.75, 0.50),
}
VIEWS = 24  # of each photograph


def make_samples(directory: Path) -> int:
    """Write ``photographs/NAME/*`` and ``digits/0…9/*`` into ``directory``; return how many."""
    return write_photographs(directory / "photographs") + write_digits(directory / "digits")


def write_photographs(directory: Path) -> int:
    """Write views of photographs as JPEG, each with its subject in sight; return how many."""
    n_views = 0
    for number, (photograph, subject) in enumerate(PHOTOGRAPHS.items()):
        # A release of a dependency may leave one out: the others will do.
        if photograph.is_file():
            folder = directory / photograph.stem
            folder.mkdir(parents=True, exist_ok=True)
            with Image.open(photograph) as picture:
                for view in take_views(picture, VIEWS, number, subject):
                    view.save(folder / f"{n_views % VIEWS:02}.jpg", quality=90)
                    n_views += 1
    return n_views


def write_digits(directory: Path) -> int:
    """Write scikit-learn's 1,797 handwritten digits of 8 by 8 pixels as PNG; return how many."""
    digits = load_digits()
    for label in range(10):
        (directory / str(label)).mkdir(parents=True, exist_ok=True)
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        grey = np.round(pixels * (255 / 16)).astype(np.uint8)
        Image.fromarray(grey).save(directory / str(label) / f"{number:04}.png")
    return len(digits.target)


if __name__ == "__main__":
    print(f"{make_samples(Path(sys.argv[1])):,} images in {sys.argv[1]}")
