"""Folders that the programs work on: photographs, known copies among them, an unreadable file."""

import shutil
from pathlib import Path

from PIL import Image

from benchmarks.photographs import make_photographs

# One copy of each kind for so many images.
IMAGES_A_COPY = 20
SMALLER, SMALLER_QUALITY = (400, 300), 70
BROKEN = "broken.jpg"
READABLE = 40


def make_folder(directory: Path, images: int) -> Path:
    """Return a folder of ``images`` photographs, of which a tenth are copies of others.

    Half of the copies have the same bytes, half are smaller and compressed more. Their names are
    those of the originals, after a dash.
    """
    folder = directory / f"with-copies-{images}"
    each = images // IMAGES_A_COPY
    make_photographs(folder, images - 2 * each)
    copies = folder / "copies"
    copies.mkdir(exist_ok=True)
    for number in range(each):
        exact, source = (_photograph(folder, 2 * number + twin) for twin in (0, 1))
        shutil.copyfile(exact, copies / f"exact-{exact.name}")
        with Image.open(source) as image:
            image.resize(SMALLER).save(copies / f"smaller-{source.name}", quality=SMALLER_QUALITY)
    return folder


def _photograph(folder: Path, number: int) -> Path:
    return folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"


def find_originals(folder: Path) -> dict[str, str]:
    """Return the name of each copy's original, by the copy's."""
    copies = (path.name for path in (folder / "copies").iterdir())
    return {name: name.partition("-")[2] for name in copies}


def make_broken_folder(directory: Path) -> Path:
    """Return a folder of some photographs and a file that is none."""
    folder = make_photographs(directory / "with-broken", READABLE)
    (folder / "000" / BROKEN).write_text("This is no image.\n")
    return folder
