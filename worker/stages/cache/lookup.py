"""Looking rows up: the indexes of all segments of a folder, joined in this process."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import ShardLostError, StoreUnavailableError
from shoal.shared.shards import Shards
from shoal.worker.stages.cache.names import SegmentName, Uses, parse_index
from shoal.worker.stages.cache.segment import (
    CONTENT_DTYPE,
    STATE_DTYPE,
    DamagedSegmentError,
    Form,
    Index,
    Refusal,
    SortedEntries,
    check_records,
    join_keys,
)

logger = logging.getLogger(__name__)

# Indexes read at once where each takes the time of a network.
READERS = 16
NOWHERE = (0, 0, 0, 0, -1)
JOINED_DTYPE = np.dtype([*CONTENT_DTYPE.descr, ("segment", "<u4")])


class Entry(NamedTuple):
    """Where a content is in the cache.

    Attributes:
        segment: Number of the segment in ``Lookup``.
        place: Of its record or refusal there.
        kind: RECORD, FAILURE or DEEP.
    """

    segment: int
    place: int
    kind: int


class Lookup:
    """Finds what a folder of the cache has, as it was when ``refresh`` was called last.

    Attributes:
        shards: Where the cache is.
        folder: Of rows that depend on the same, but for the content of the file.
        segments: Those that were read.
    """

    def __init__(self, shards: Shards, folder: str) -> None:
        self.shards = shards
        self.folder = folder
        self._forget()

    def _forget(self) -> None:
        self.segments: list[SegmentName] = []
        self._indexes: list[Index] = []
        self._dropped = {NOWHERE[-1]}
        self._contents = SortedEntries(np.empty(0, JOINED_DTYPE))
        self._states = SortedEntries(np.empty(0, STATE_DTYPE))
        self._uses = Uses(self.shards, self.folder)

    def refresh(self) -> None:
        """Read the indexes that have come since, or all of them if some are gone.

        Raises:
            StoreUnavailableError: The place of the shards refuses.
        """
        names = self.shards.names(f"{self.folder}/index")
        listed = set(filter(None, map(parse_index, names)))
        if len(self._dropped) > 1 or not listed.issuperset(self.segments):
            self._forget()
        self._join(sorted(listed.difference(self.segments)))
        self._uses.refresh()

    def _join(self, new: Sequence[SegmentName]) -> None:
        contents, states = [self._contents.entries], [self._states.entries]
        for name, index in zip(new, self._read_all(new), strict=True):
            if index is None:
                continue
            entries = np.empty(len(index.contents), JOINED_DTYPE)
            for part in CONTENT_DTYPE.names or ():
                entries[part] = index.contents[part]
            entries["segment"] = len(self.segments)
            contents.append(entries)
            states.append(index.states)
            self.segments.append(name)
            self._indexes.append(index.without_entries())
        if len(contents) > 1:
            self._contents = SortedEntries(np.concatenate(contents))
            self._states = SortedEntries(np.concatenate(states))

    def _read_all(self, names: Sequence[SegmentName]) -> list[Index | None]:
        if self.shards.maps_files or len(names) < READERS:
            return list(map(self._read, names))
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(self._read, names))

    def _read(self, name: SegmentName) -> Index | None:
        """Read the index of a segment; None if it is gone, or damaged and therefore deleted."""
        try:
            return Index.from_bytes(self.shards.read(name.index(self.folder)))
        except ShardLostError:
            return None
        except DamagedSegmentError as error:
            self._delete(name, error)
            return None

    def _delete(self, name: SegmentName, error: Exception) -> None:
        """Delete a segment whose rows are to be made again."""
        # Another process may have merged or deleted it: that is nothing to warn of.
        level = logging.INFO if isinstance(error, ShardLostError) else logging.WARNING
        event = {"segment": str(name)}
        logger.log(level, "rows of the cache cannot be used: %s", error, extra=event)
        with suppress(StoreUnavailableError):
            # The index first: without it, nobody looks for the records.
            self.shards.delete([name.index(self.folder)])
            self.shards.delete([name.records(self.folder)])

    def find_states(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the content that each file had when it was in this state, where it is known."""
        places = self._states.search(keys)
        found = self._states.entries[places[places >= 0]]
        contents = iter(join_keys(found["content_high"], found["content_low"]))
        return [next(contents) if place >= 0 else None for place in places]

    def find_contents(self, keys: Sequence[bytes]) -> list[Entry | None]:
        """Return where each content is, if it is known."""
        entries, found = self._contents.entries, list[Entry | None]()
        for place in self._contents.search(keys):
            _, _, at, kind, segment = entries[place].item() if place >= 0 else NOWHERE
            found.append(None if segment in self._dropped else Entry(segment, at, kind))
        return found

    def form(self, segment: int) -> Form | None:
        """Return the form of a segment's records."""
        return self._indexes[segment].form

    def refusal(self, entry: Entry) -> Refusal:
        """Return why a content cannot be used."""
        self._uses.note(self.segments[entry.segment])
        return self._indexes[entry.segment].refusals[entry.place]

    def read_records(
        self, segment: int, places: Sequence[int], keys: Sequence[bytes]
    ) -> NDArray[np.void] | None:
        """Read records of one segment, and note that it was used.

        Args:
            segment: Number of the segment.
            places: Of the records, ascending.
            keys: Of their contents.

        Returns:
            The records; None if they are gone, or damaged: then the segment is deleted.

        Raises:
            StoreUnavailableError: The place of the shards refuses.
        """
        name, form = self.segments[segment], self._indexes[segment].form
        if form is None:
            return None
        ranges = find_ranges(places, form.record.itemsize)
        try:
            parts = self.shards.read_ranges(name.records(self.folder), ranges)
            records = np.frombuffer(b"".join(parts), form.record)
            check_records(records, keys)
        except (ShardLostError, DamagedSegmentError) as error:
            self._delete(name, error)
            self._dropped.add(segment)
            return None
        self._uses.note(name)
        return records


def find_ranges(places: Sequence[int], size: int) -> list[tuple[int, int]]:
    """Return start and length in bytes of each run of records that follow each other."""
    breaks = [n for n, (a, b) in enumerate(pairwise(places), 1) if b != a + 1]
    runs = pairwise([0, *breaks, len(places)])
    return [(places[start] * size, (end - start) * size) for start, end in runs if end > start]
