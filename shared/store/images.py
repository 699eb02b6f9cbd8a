"""The images of a job, to be read again by whoever shows them: files, or wherever they are."""

import os
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

from shoal.shared.errors import SourceError, UnreadableImageError, show_call
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import StrPath
from shoal.shared.settings import Settings
from shoal.shared.sources.locations import Location
from shoal.shared.sources.paths import join
from shoal.shared.store.results import Results

# Batches whose paths are kept in memory: pictures are of many.
BATCHES_KEPT = 64


class JobImages:
    """Reads images of a job, wherever they are.

    Args:
        results: Of the job.
        source: Of the job.
        settings: What may be read, and how much.
    """

    def __init__(self, results: Results, source: str, settings: Settings) -> None:
        self._results = results
        self._source = source
        self._settings = settings
        self._paths = lru_cache(BATCHES_KEPT)(results.paths)
        self._locations = lru_cache(BATCHES_KEPT)(results.locations)

    @cached_property
    def are_files(self) -> bool:
        """Whether they are files in a folder, which decoders open by themselves."""
        return self._results.locations(0) is None

    def check_files(self) -> None:
        """Check that the images are files in a folder, which can be moved or linked.

        Raises:
            SourceError: They are not.
        """
        if not self.are_files:
            job_id = self._results.job_id
            raise SourceError(
                f"The images of job {job_id} are no files in a folder, but in {self._source}: copy"
                " or unpack them into one and submit that, or take their clusters from the labels"
                f" ({show_call(job_id, 'labels')})."
            )

    def read(self, path: str) -> StrPath:
        """Return what a decoder reads of an image: its path, or its content.

        Raises:
            UnreadableImageError: It cannot be used, or has changed since it was listed.
            SourceError: Nothing can be read in the source; the message says what helps.
            SourceUnavailableError: Nothing can be read there for now.
        """
        if self.are_files:
            return join(self._source, path)
        from shoal.shared.sources.reading import read_image  # of no use to a job of a folder

        return read_image(self._source, path, self.locate(path), self._settings)

    def locate(self, path: str) -> Location | None:
        """Return where the bytes of an image are; None for a file in a folder.

        Raises:
            UnreadableImageError: The job has no such image.
        """
        place = find_path(path, self._n_batches, self._paths)
        if place is None:
            raise UnreadableImageError(FailureReason.MISSING, "no image of this job")
        batch, position = place
        locations = self._locations(batch)
        return locations[position] if locations else None

    @cached_property
    def _n_batches(self) -> int:
        return self._results.n_batches()


def find_path(
    path: str, n_batches: int, paths_of: Callable[[int], Sequence[str]]
) -> tuple[int, int] | None:
    """Find the batch of an image and its position there, by halving: few batches are read.

    Args:
        path: Of the image.
        n_batches: Of the job.
        paths_of: Reads the paths of a batch.

    Returns:
        None if the job has no such image.
    """
    wanted, batches = os.fsencode(path), range(n_batches)
    after = bisect_right(batches, wanted, key=lambda batch: os.fsencode(paths_of(batch)[0]))
    batch = max(after - 1, 0)
    paths = paths_of(batch)
    position = bisect_left(paths, wanted, key=os.fsencode)
    is_there = position < len(paths) and paths[position] == path
    return (batch, position) if is_there else None
