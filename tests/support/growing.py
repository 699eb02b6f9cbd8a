"""A folder of three kinds of photographs, the third of which grows."""

import shutil
from pathlib import Path

# Of the eight kinds of ``make_photographs``: how many there are at first, and once it has grown.
FIRST = {0: 12, 1: 8, 2: 4}
GROWN = {0: 12, 1: 8, 2: 15}
THREE_CLUSTERS = ("--features", "color", "--clusters", 3)


def fill(folder: Path, photographs: Path, counts: dict[int, int]) -> Path:
    """Let a folder have so many photographs of each kind, each under its kind and number."""
    folder.mkdir(exist_ok=True)
    for path in photographs.rglob("*.jpg"):
        number, kind = divmod(int(path.stem), 8)
        if number < counts.get(kind, 0):
            shutil.copy2(path, folder / f"{kind}-{number:02d}.jpg")
    return folder


def read_kinds(csv: str) -> dict[int, int]:
    """Return the cluster of each kind in ``labels.csv``, in which each kind is one cluster."""
    rows = [line.split(",") for line in csv.splitlines()[1:]]
    found = {(int(path[0]), int(label)) for path, label, *_ in rows}
    assert len(found) == len({kind for kind, _ in found}), "a kind is in several clusters"
    return dict(found)
