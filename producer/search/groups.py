"""Groups: images that count as one among the results, since they are copies or look alike."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from shoal.shared.store.rows import DUPLICATE_ROW

# An image's place in its job, as one number: its batch, and its place among the loaded images of
# that. Places are in the order of the paths.
PLACES_OF_A_BATCH = 2**32

# What is read of a row of duplicates, wherever its other fields are.
_DUPLICATES = np.dtype(
    {
        "names": ["group", "batch", "index"],
        "formats": ["<u4", "<u4", "<u4"],
        "offsets": [0, 8, 12],
        "itemsize": DUPLICATE_ROW.size,
    }
)

Places = NDArray[np.int64]


def make_places(batch: int, indices: NDArray[np.integer]) -> Places:
    """Make the places of the images of a batch with these indices among its loaded images."""
    return batch * PLACES_OF_A_BATCH + indices.astype(np.int64)


class Groups:
    """Knows which images of a job count as one; each that is in no group counts by itself."""

    def __init__(self, places: Places, groups: NDArray[np.int64]) -> None:
        """Set up from the places of the images in groups, and the number of each one's group."""
        order = np.argsort(places)
        self._places, self._groups = places[order], groups[order]

    @classmethod
    def of_duplicates(cls, raw: bytes) -> Self:
        """Read the groups of a job's duplicates, from the rows that are stored."""
        rows = np.frombuffer(raw, _DUPLICATES)
        return cls(
            make_places(0, rows["index"]) + rows["batch"].astype(np.int64) * PLACES_OF_A_BATCH,
            rows["group"].astype(np.int64),
        )

    def find(self, places: Places) -> NDArray[np.int64]:
        """Return a number for each place, the same for the images of a group."""
        found = places.copy()
        if len(self._places):
            at = np.searchsorted(self._places, places).clip(max=len(self._places) - 1)
            is_grouped = self._places[at] == places
            found[is_grouped] = -1 - self._groups[at[is_grouped]]
        return found


def each_by_itself() -> Groups:
    """Return groups in which every image counts by itself."""
    return Groups(np.empty(0, np.int64), np.empty(0, np.int64))
