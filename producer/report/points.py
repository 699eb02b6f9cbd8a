"""The points of a map: the images it shows, with their clusters and coordinates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from shoal.producer.report.text import show_name
from shoal.shared.images.thumbnails import list_shown
from shoal.shared.store import Results
from shoal.shared.store.rows import LABEL_ROW

# Size of all paths together, as they are written in the file.
PATHS_BYTES = 2_000_000
# Paths are not cut to less than this.
FEWEST_CHARACTERS = 24
# Bits of the number of a row within its batch.
ROW_BITS = 32


@dataclass
class Points:
    """The images that a map shows, in manifest order.

    Attributes:
        paths: Path of each image, relative to the job's source.
        labels: Cluster of each image.
        xs: Where each image stands on the map.
        ys: The same, upwards.
        starts: Index of the first point of each batch.
        pc1s: First principal component of each image.
        pc2s: Second principal component of each image.
        numbers: Place of each image in the job's manifest, from 0.
        copies: How many copies of it an image has beside it, by its index, where there are any.
    """

    paths: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    xs: list[float] = field(default_factory=list)
    ys: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    pc1s: list[float] = field(default_factory=list)
    pc2s: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    copies: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)


def read_points(results: Results, total: int, copies: "Copies | None" = None) -> Points:
    """Read the points of a job of ``total`` images: all of them, or an even sample.

    Args:
        results: Of the job.
        total: Its images.
        copies: Of ``read_copies``.

    Raises:
        NotFinishedError: The job has no labels yet, or they have expired.
    """
    points, first = Points(), 0
    batches = zip(results.shapes(), results.batch_paths(), results.labels(), strict=True)
    for batch, (shape, images, rows) in enumerate(batches):
        points.starts.append(len(points))
        loaded, failed = images.loaded_positions(), images.failed_positions()
        copied = copies.of_batch(batch) if copies else {}
        for row in list_shown(batch, len(images.paths), total, failed, shape.shown):
            label, _, pc1, pc2, x, y = LABEL_ROW.unpack_from(rows, row * LABEL_ROW.size)
            if row in copied:
                points.copies[len(points)] = copied[row]
            points.paths.append(images.paths[loaded[row]])
            points.labels.append(label)
            points.xs.append(x)
            points.ys.append(y)
            points.pc1s.append(pc1)
            points.pc2s.append(pc2)
            points.numbers.append(first + loaded[row])
        first += len(images.paths)
    return points


class Copies:
    """How many copies images have beside them: of millions, in little memory."""

    def __init__(self, rows: bytes) -> None:
        """Take the rows of duplicates as they are stored."""
        group, _, batch, row, *_ = np.frombuffer(rows, "6<u4,u1")["f0"].T.astype(np.int64)
        images = batch << ROW_BITS | row
        order = np.argsort(images)
        self._images = images[order]
        self._copies = (np.bincount(group)[group] - 1)[order]

    def of_batch(self, batch: int) -> dict[int, int]:
        """Return how many each image of a batch has, by its row there, where there are any."""
        ends = (batch << ROW_BITS, batch + 1 << ROW_BITS)
        chosen = slice(*np.searchsorted(self._images, ends))
        rows = self._images[chosen] - ends[0]
        return dict(zip(rows.tolist(), self._copies[chosen].tolist(), strict=True))


def read_copies(results: Results) -> Copies:
    """Read how many copies each image has beside it."""
    return Copies(results.duplicate_rows())


def pack_names(paths: Sequence[str], most_bytes: int = PATHS_BYTES) -> tuple[list[int | str], int]:
    """Pack sorted paths; cut long ones until all fit into so many bytes.

    Returns:
        Two items per path, the number of characters it shares with the one before and the rest
        of it; and the number of characters that the longest paths were cut to.
    """
    most = max(map(len, paths), default=0)
    while True:
        names = [show_name(path, most) for path in paths]
        packed = list(_share_beginnings(names))
        taken = _count_bytes(packed)
        if most <= FEWEST_CHARACTERS or taken <= most_bytes:
            return packed, most
        most = max(int(most * min(most_bytes / taken, 0.95)), FEWEST_CHARACTERS)


def _share_beginnings(names: Sequence[str]) -> Iterator[int | str]:
    """Yield for each name how many characters it shares with the one before, and the rest."""
    for before, name in pairwise(["", *names]):
        shared = next(
            (n for n, (a, b) in enumerate(zip(before, name, strict=False)) if a != b),
            min(len(before), len(name)),
        )
        yield shared
        yield name[shared:]


def _count_bytes(packed: Sequence[int | str]) -> int:
    """Estimate how many bytes packed names take as JSON."""
    # A number, two quotes, two commas.
    return sum(7 + len(item.encode()) for item in packed if isinstance(item, str))
