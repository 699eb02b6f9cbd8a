"""Look-up of a job's images: by number, by path, and by cluster and distance."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

from shoal.shared.errors import UsageError
from shoal.shared.store import Results
from shoal.shared.store.images import find_path
from shoal.shared.store.rows import LABEL_ROW
from shoal.shared.store.sizes import batch_sizes

# Batches whose paths are kept in memory: a slice of a cluster has images of many batches.
BATCHES_KEPT = 128


@dataclass(frozen=True, kw_only=True)
class Member:
    """One image of a cluster.

    Attributes:
        number: Its place in the job's manifest, from 0.
        path: Relative to the job's source.
        label: Number of the cluster.
        distance: Distance to the cluster's centroid.
        pc1: First principal component.
        pc2: Second principal component.
        x: Where it stands on the map.
        y: The same, upwards.
        far: Whether it is farther from its cluster than the images of that reach.
    """

    number: int
    path: str
    label: int
    distance: float
    pc1: float
    pc2: float
    x: float
    y: float
    far: bool


class Catalogue:
    """The images of one job and their labels, read from Redis once and then kept.

    After a retry the labels are others: make a new catalogue.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self._paths = lru_cache(BATCHES_KEPT)(results.paths)
        self._positions = lru_cache(BATCHES_KEPT)(self._loaded_positions)

    @cached_property
    def starts(self) -> list[int]:
        """Number of each batch's first image; the last item is the number of all images."""
        return [0, *accumulate(batch_sizes(self.results))]

    def path(self, number: int) -> str:
        """Return the path of the loaded image with this number, relative to the source.

        Raises:
            UsageError: There is no image with this number, or it failed.
        """
        batch = bisect_right(self.starts, number) - 1
        position = number - self.starts[batch]
        if 0 <= number < self.starts[-1] and position in self._positions(batch):
            return self._paths(batch)[position]
        raise UsageError(f"Job {self.results.job_id} has no loaded image with number {number}.")

    def number(self, path: str) -> int:
        """Return the number of the image at ``path``.

        Raises:
            UsageError: The job has no such image.
        """
        batch, position = self.find(path)
        return self.starts[batch] + position

    def find(self, path: str) -> tuple[int, int]:
        """Return the batch of the image at ``path``, and its position there; few batches are read.

        Raises:
            UsageError: The job has no such image.
        """
        place = find_path(path, self._n_batches, self._paths)
        if place is None:
            raise UsageError(f"Job {self.results.job_id} has no image {path!r}.")
        return place

    @cached_property
    def _n_batches(self) -> int:
        return self.results.n_batches()

    def rows(self, start: int, count: int) -> list[Member]:
        """Return up to ``count`` loaded images in manifest order, skipping the first ``start``."""
        return [self._member(row) for row in range(start, min(start + count, self._n_rows))]

    def members(
        self, label: int, start: int, count: int, *, farthest: bool = False
    ) -> list[Member]:
        """Return up to ``count`` images of a cluster, nearest first, skipping ``start``.

        With ``farthest``, the farthest come first.
        """
        rows = self._by_distance.get(label, ())
        if farthest:
            end = max(len(rows) - start, 0)
            return [self._member(row) for row in reversed(rows[max(end - count, 0) : end])]
        return [self._member(row) for row in rows[start : start + count]]

    def _member(self, row: int) -> Member:
        batch = bisect_right(self._ends, row)
        within = row - (self._ends[batch - 1] if batch else 0)
        position = self._positions(batch)[within]
        values = LABEL_ROW.unpack_from(self._table[0], row * LABEL_ROW.size)
        label, distance, pc1, pc2, x, y = values
        return Member(
            number=self.starts[batch] + position,
            path=self._paths(batch)[position],
            label=label,
            distance=distance,
            pc1=pc1,
            pc2=pc2,
            x=x,
            y=y,
            far=bool(self._far and self._far[row]),
        )

    @cached_property
    def _table(self) -> tuple[bytes, list[int]]:
        """The rows of labels, and the number of the row after each batch."""
        rows, ends = bytearray(), []
        for raw in self.results.labels():
            rows += raw
            ends.append(len(rows) // LABEL_ROW.size)
        return bytes(rows), ends

    @cached_property
    def _far(self) -> bytes:
        """A byte for each row, 1 if the image is far; empty if that is not known."""
        found = b"".join(self.results.far())
        return found if len(found) == self._n_rows else b""

    @property
    def _ends(self) -> list[int]:
        return self._table[1]

    @property
    def _n_rows(self) -> int:
        return self._ends[-1] if self._ends else 0

    @cached_property
    def _by_distance(self) -> dict[int, Sequence[int]]:
        # In arrays: as objects, the numbers of an image take ten times the memory.
        found: dict[int, tuple[array[int], array[float]]] = {}
        for row, (label, distance, *_) in enumerate(LABEL_ROW.iter_unpack(self._table[0])):
            rows, distances = found.setdefault(label, (array("L"), array("f")))
            rows.append(row)
            distances.append(distance)
        return {label: _sort_by(*members) for label, members in found.items()}

    def _loaded_positions(self, batch: int) -> Sequence[int]:
        failed = {image.position for image in self.results.failed_images(batch)}
        return [i for i in range(len(self._paths(batch))) if i not in failed]


def _sort_by(rows: "array[int]", distances: "array[float]") -> Sequence[int]:
    """Sort rows by their distances, those of equal ones by their numbers."""
    order = sorted(range(len(rows)), key=distances.__getitem__)
    return array("L", map(rows.__getitem__, order))
