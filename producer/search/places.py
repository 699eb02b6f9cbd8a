"""The coordinates of a job's images, a batch at a time, and what is known of each image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shoal.producer.results import JobResults
from shoal.producer.search.groups import PLACES_OF_A_BATCH, Groups, Places, each_by_itself
from shoal.producer.search.neighbours import NearestImages, Points
from shoal.shared.errors import ShardLostError
from shoal.shared.findings import Match
from shoal.shared.store.rows import LABEL_ROW


@dataclass(frozen=True)
class PlacedImages:
    """The loaded images of a finished job by their places.

    Attributes:
        job: The job.
        n_components: Of the coordinates.
    """

    job: JobResults
    n_components: int

    def batches(self) -> Iterator[Points]:
        """Yield the coordinates of each batch, shape (n_images, n_components), by batch.

        Raises:
            ShardLostError: Coordinates are missing or damaged.
        """
        n_rows = 0
        for part in self.job.results.coordinates():
            rows = np.frombuffer(part, "<f4").reshape(-1, self.n_components)
            n_rows += len(rows)
            yield rows
        if n_rows != (n_loaded := self.job.status().images.loaded):
            raise ShardLostError(
                f"Job {self.job.id} has coordinates of {n_rows:,} of {n_loaded:,} images: submit"
                " its folder again with `force=True`."
            )

    def points(self, places: Sequence[int]) -> Points:
        """Return the coordinates of some images, shape (n_places, n_components)."""
        found = np.empty((len(places), self.n_components), np.float32)
        for row, place in enumerate(places):
            batch, index = divmod(place, PLACES_OF_A_BATCH)
            part = self.job.results.coordinates_of(batch)
            found[row] = np.frombuffer(part, "<f4").reshape(-1, self.n_components)[index]
        return found

    def groups(self, *, duplicates: bool) -> Groups:
        """Return the groups of duplicates; with ``duplicates``, each image counts by itself."""
        if duplicates:
            return each_by_itself()
        return Groups.of_duplicates(self.job.results.duplicate_rows())

    def see_all(self, nearest: NearestImages) -> None:
        """Let ``nearest`` see all images."""
        for batch, points in enumerate(self.batches()):
            nearest.add(batch, points)

    def matches(self, places: Places, distances: NDArray[np.float64]) -> list[Match]:
        """Return what is known of images, in their order; only their batches are read."""
        results = self.job.results
        batches = np.unique(places // PLACES_OF_A_BATCH).tolist()
        paths = dict(zip(batches, results.batch_paths(batches), strict=True))
        labels = dict(zip(batches, results.labels_of(batches), strict=True))
        loaded = {batch: part.loaded() for batch, part in paths.items()}
        found = []
        for rank, (place, distance) in enumerate(zip(places.tolist(), distances, strict=True), 1):
            batch, index = divmod(place, PLACES_OF_A_BATCH)
            label, *_ = LABEL_ROW.unpack_from(labels[batch], index * LABEL_ROW.size)
            # As long as float32 is: the coordinates are no more exact.
            shown = float(np.format_float_positional(np.float32(distance)))
            found.append(Match(rank, loaded[batch][index], label, shown))
        return found
