"""The plan: which image of a job goes where."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from shoal.producer.organizing.steps import Step
from shoal.shared.findings import NOISE
from shoal.shared.store import Results
from shoal.shared.store.rows import HASH_ROW, LABEL_ROW

NOISE_FOLDER = "noise"
# What Windows, exFAT or a shell would not take in a name.
UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]+')
DASHES = re.compile(r"-[ -]*-")
MOST_NAME_BYTES = 120
# What Windows takes for devices, not for names of folders.
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}


@dataclass(frozen=True)
class Placement:
    """One image and its place.

    Attributes:
        path: Relative to the job's source.
        label: Number of its cluster; -1 is noise.
        target: Where it goes, relative to the directory.
    """

    path: str
    label: int
    target: str


class Plan:
    """Which image of a job goes where, in the order of the folder; can be read again.

    Attributes:
        is_flat: Whether a cluster's folder has no folders.
    """

    def __init__(self, results: Results, folders: Mapping[int, str], *, is_flat: bool) -> None:
        """Set up without asking Redis.

        Args:
            results: Of the job.
            folders: Name of each cluster's folder, by label.
            is_flat: Whether images lose the folders that they are in.
        """
        self._results = results
        self._folders = folders
        self.is_flat = is_flat

    def __iter__(self) -> Iterator[Step]:
        for placement, digest in self._read():
            yield Step(placement.path, placement.target, digest)

    def placements(self) -> Iterator[Placement]:
        """Yield each image and its place."""
        return (placement for placement, _ in self._read())

    def _read(self) -> Iterator[tuple[Placement, int]]:
        results, names = self._results, _UniqueNames()
        parts = zip(results.batch_paths(), results.labels(), results.hashes(), strict=True)
        for batch, labels, hashes in parts:
            rows = zip(
                batch.loaded(), LABEL_ROW.iter_unpack(labels), HASH_ROW.iter_unpack(hashes),
                strict=True,
            )  # fmt: skip
            for path, (label, *_), (digest, _) in rows:
                folder = self._folders[label]
                within = names.choose(folder, path) if self.is_flat else path
                yield Placement(path, label, f"{folder}/{within}"), digest


class _UniqueNames:
    """Names without folders: those that are taken, in whatever case, get a number."""

    def __init__(self) -> None:
        self._taken = set[tuple[str, str]]()
        self._numbers = dict[tuple[str, str], int]()  # the last one, of names that were taken

    def choose(self, folder: str, path: str) -> str:
        """Choose the name of an image in a folder."""
        name = PurePosixPath(path)
        chosen = name.name
        first = folder, self._fold(chosen)
        number = self._numbers.get(first, 1)
        while (folder, self._fold(chosen)) in self._taken:
            number += 1
            chosen = f"{name.stem}-{number}{name.suffix}"
        if number > 1:
            self._numbers[first] = number
        self._taken.add((folder, self._fold(chosen)))
        return chosen

    @staticmethod
    def _fold(name: str) -> str:
        # As file systems of Windows and macOS compare names.
        return unicodedata.normalize("NFC", name).casefold()


def name_folders(n_clusters: int, names: Mapping[int, str]) -> dict[int, str]:
    """Name the folder of each cluster, by label: its number, then its name if it has one.

    Numbers have as many digits as the largest, and two at least, so that folders are in order.
    Several clusters of one name have one folder, which is called by the name alone unless
    something else is called so.
    """
    width = max(2, len(str(n_clusters - 1)))
    folders = {label: f"{label:0{width}}" for label in range(n_clusters)}
    groups = dict[str, list[int]]()
    for label, name in sorted(names.items()):
        if safe := _make_safe(name):
            folders[label] += f"-{safe}"
        if name:
            groups.setdefault(name.casefold(), []).append(label)
    taken = {NOISE_FOLDER, *RESERVED, *(folder.casefold() for folder in folders.values())}
    for first, *others in groups.values():
        if not others:
            continue
        shared = _make_safe(names[first])
        if not shared or shared.casefold() in taken:
            shared = folders[first]
        taken.add(shared.casefold())
        folders |= dict.fromkeys((first, *others), shared)
    return folders | {NOISE: NOISE_FOLDER}


def _make_safe(name: str) -> str:
    """Make a name one that file systems take: all of them after a number."""
    safe = DASHES.sub("-", UNSAFE.sub("-", unicodedata.normalize("NFC", name))).strip("- .")
    return safe.encode()[:MOST_NAME_BYTES].decode(errors="ignore").strip("- .")
