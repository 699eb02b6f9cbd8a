"""How many variants of a photograph are found as its duplicates, and which different pictures are.

``python -m benchmarks.duplicates`` makes variants of the labelled set of landscapes, of which no
two are alike, in each of the eight ways in which a picture can lie; and it counts the pairs among
the images of several sets. It writes both.
"""

import argparse
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

import shoal.worker.blas  # noqa: F401  before numpy's first product
from benchmarks import FIGURES
from benchmarks.labelled_sets import make_set
from shoal.shared.findings import TURNS
from shoal.worker.findings.duplicates import NEAR, NEAR_OF_COPIES, NEAR_OF_TURNED
from shoal.worker.findings.near import pair_near_hashes
from shoal.worker.findings.turned import pair_turned_hashes
from shoal.worker.findings.turns import turn_hashes
from shoal.worker.images.hashes import perceptual_hash
from shoal.worker.images.pixels import make_square

PHOTOGRAPHS = "landscapes"
SETS = (*(PHOTOGRAPHS, "stamps", "clip-art", "furniture", "emoji", "digits", "fashion-mnist"),)
MOST_IMAGES = 1000
IMAGE_SIZE = 32
QUALITY = 85
# Of each way of lying, mirrored first and then turned by quarters, what Pillow calls it.
TRANSPOSES = (
    *(None, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90),
    *(Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.TRANSVERSE),
    *(Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.TRANSPOSE),
)


def save_as_jpeg(picture: Image.Image, quality: int = QUALITY) -> Image.Image:
    """Return what remains of a picture in a JPEG file."""
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


def shrink(picture: Image.Image, share: float) -> Image.Image:
    """Return a picture of a share of the width and height."""
    return picture.resize((round(picture.width * share), round(picture.height * share)))


def cut(picture: Image.Image, share: float) -> Image.Image:
    """Return a picture without a border of a share of its width and height."""
    left, top = round(picture.width * share), round(picture.height * share)
    return picture.crop((left, top, picture.width - left, picture.height - top))


VARIANTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "the same pixels": lambda picture: picture,
    "JPEG of quality 50": lambda picture: save_as_jpeg(picture, 50),
    "half the size": lambda picture: save_as_jpeg(shrink(picture, 1 / 2)),
    "a third of the size, quality 60": lambda picture: save_as_jpeg(shrink(picture, 1 / 3), 60),
    "a fifth darker": lambda picture: save_as_jpeg(ImageEnhance.Brightness(picture).enhance(0.8)),
    "a fifth less contrast": lambda picture: save_as_jpeg(
        ImageEnhance.Contrast(picture).enhance(0.8)
    ),
    "without a border of 2 %": lambda picture: save_as_jpeg(cut(picture, 0.02)),
    "without a border of 5 %": lambda picture: save_as_jpeg(cut(picture, 0.05)),
}


def read_pictures(folder: Path) -> list[Image.Image]:
    """Read the images of a set, evenly chosen if there are many, on white."""
    paths = sorted(folder.rglob("*.png"))
    pictures = []
    for path in paths[:: -(-len(paths) // MOST_IMAGES)]:
        with Image.open(path) as picture:
            white = Image.new("RGBA", picture.size, "white")
            pictures.append(Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB"))
    return pictures


def hash_pictures(pictures: list[Image.Image]) -> NDArray[np.uint64]:
    """Hash pictures as a job does."""
    return perceptual_hash(
        np.stack([make_square(picture, IMAGE_SIZE).pixels for picture in pictures])
    )


def measure_recall(pictures: list[Image.Image]) -> dict[str, Any]:
    """Measure which share of each variant is near its picture, by the same way of lying."""
    hashes = hash_pictures(pictures)
    shares = {}
    for name, make in VARIANTS.items():
        found = []
        for turn, transpose in zip(TURNS, TRANSPOSES, strict=True):
            turned = [
                picture.transpose(transpose) if transpose is not None else picture
                for picture in pictures
            ]
            bits = np.bitwise_count(
                hash_pictures(list(map(make, turned))) ^ turn_hashes(hashes, turn)
            )
            found.append(bits)
        same, others = found[0], np.concatenate(found[1:])
        shares[name] = {
            "near": round(float((same <= NEAR).mean()), 3),
            "copies": round(float((same <= NEAR_OF_COPIES).mean()), 3),
            "turned": round(float((others <= NEAR_OF_TURNED).mean()), 3),
        }
    return shares


def count_pairs(pictures: list[Image.Image]) -> dict[str, int]:
    """Count the images of a set, and the pairs found among them."""
    hashes = hash_pictures(pictures)
    near = {tuple(pair) for pair in pair_near_hashes(hashes, NEAR).tolist()}
    turned = {tuple(pair) for pair in pair_turned_hashes(hashes, NEAR_OF_TURNED).tolist()}
    return {
        "images": len(pictures),
        "near": len(near),
        "copies": len(pair_near_hashes(hashes, NEAR_OF_COPIES)),
        "turned": len(turned - near),
    }


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=Path, default=Path(".benchmarks/sets"))
    options = parser.parse_args()
    options.sets.mkdir(parents=True, exist_ok=True)
    pictures = {name: read_pictures(make_set(name, options.sets)) for name in SETS}
    figures = {
        "photographs": len(pictures[PHOTOGRAPHS]),
        "found": measure_recall(pictures[PHOTOGRAPHS]),
        "pairs": {name: count_pairs(some) for name, some in pictures.items()},
    }
    (FIGURES / "duplicates.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
