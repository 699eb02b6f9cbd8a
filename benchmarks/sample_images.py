"""Real images to try Shoal on, made from what its dependencies bring along: no download.

Usage: python -m benchmarks.sample_images DIRECTORY
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image
from sklearn.datasets import load_digits

SKIMAGE_DATA = Path(skimage.__file__).parent / "data"
SKLEARN_DATA = Path(sklearn.__file__).parent / "datasets" / "images"
PHOTOGRAPHS = [
    *(
        SKIMAGE_DATA / f"{name}.png"
        for name in ("astronaut", "brick", "chelsea", "coffee", "coins")
    ),
    *(SKIMAGE_DATA / f"{name}.png" for name in ("grass", "gravel", "ihc", "moon", "page")),
    *(SKIMAGE_DATA / f"{name}.jpg" for name in ("hubble_deep_field", "retina", "rocket")),
    *(SKLEARN_DATA / f"{name}.jpg" for name in ("china", "flower")),
]
TILES = 8  # along the shorter side of a photograph: some 1,200 in all


def make_samples(directory: Path) -> int:
    """Write ``photographs/NAME/*`` and ``digits/0…9/*`` into ``directory``; return how many."""
    return write_photographs(directory / "photographs") + write_digits(directory / "digits")


def write_photographs(directory: Path) -> int:
    """Write square tiles of photographs, each in its photograph's format; return how many."""
    n_tiles = 0
    # A release of scikit-image may leave one out: the others will do.
    for photograph in filter(Path.is_file, PHOTOGRAPHS):
        folder = directory / photograph.stem
        folder.mkdir(parents=True, exist_ok=True)
        with Image.open(photograph) as image:
            for number, tile in enumerate(cut_tiles(image)):
                tile.save(folder / f"{number:03}{photograph.suffix}", compress_level=1)
                n_tiles += 1
    return n_tiles


def cut_tiles(image: Image.Image) -> Iterator[Image.Image]:
    """Yield an image's square tiles, row by row; what is left at the edges is dropped."""
    side = min(image.size) // TILES
    for top in range(0, image.height - side + 1, side):
        for left in range(0, image.width - side + 1, side):
            yield image.crop((left, top, left + side, top + side))


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
