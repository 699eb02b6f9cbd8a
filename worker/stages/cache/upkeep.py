"""The upkeep of the cache: many small segments become few, and the oldest ones go."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from shoal.shared.errors import ShardLostError
from shoal.shared.shards import Shards
from shoal.worker.stages.cache.names import (
    ROOT,
    SegmentName,
    parse_index,
    parse_note,
    parse_records,
    this_hour,
)
from shoal.worker.stages.cache.segment import (
    FAILURE,
    RECORD,
    DamagedSegmentError,
    Index,
    SortedEntries,
    check_records,
    join_keys,
)

logger = logging.getLogger(__name__)

# So many segments of less than this become few: each costs a look at its index in every process.
MOST_SMALL = 64
SMALL_BYTES = 2**22
MERGED_BYTES = 2**26
# At once, for a batch waits meanwhile: two requests and more for each segment in a bucket.
MOST_GROUPS = 4
# Once there is too much, a tenth more than that goes: else each batch would list all again.
KEPT_SHARE = 0.9
# Records without an index were left by a process that was killed between the two.
ABANDONED_HOURS = 2


class _Segment(NamedTuple):
    folder: str
    name: SegmentName


def measure_cache(shards: Shards) -> int:
    """Measure how many bytes the cache takes, of rows of all kinds.

    Raises:
        StoreUnavailableError: The place of the shards refuses.
    """
    return sum(segment.name.size_bytes for segment in _Contents.read(shards).used)


@dataclass(frozen=True)
class _Contents:
    """What is in the cache: when each segment was used last, and the names that are left over."""

    used: dict[_Segment, int]
    notes: dict[_Segment, list[str]]
    abandoned: list[str]

    @classmethod
    def read(cls, shards: Shards) -> "_Contents":
        used, notes, records = dict[_Segment, int](), defaultdict[_Segment, list[str]](list), {}
        hours = defaultdict[_Segment, int](int)
        for name in shards.names(ROOT):
            folder = name.rpartition("/")[0].rpartition("/")[0]
            if segment := parse_index(name):
                used[_Segment(folder, segment)] = segment.hour
            elif note := parse_note(name):
                key = _Segment(folder, note[0])
                notes[key].append(name)
                hours[key] = max(hours[key], note[1])
            elif segment := parse_records(name):
                records[_Segment(folder, segment)] = name
        before = this_hour() - ABANDONED_HOURS
        left = [name for key, name in records.items() if key not in used and key.name.hour < before]
        left += [name for key, names in notes.items() if key not in used for name in names]
        used = {key: max(hour, hours[key]) for key, hour in used.items()}
        return cls(used, notes, left)


def trim_cache(shards: Shards, most_bytes: int) -> int:
    """Delete the segments that were used longest ago until the rest is within ``most_bytes``.

    Returns:
        The bytes that are left.

    Raises:
        StoreUnavailableError: The place of the shards refuses.
    """
    contents = _Contents.read(shards)
    shards.delete(contents.abandoned)
    left = sum(segment.name.size_bytes for segment in contents.used)
    for segment in sorted(contents.used, key=lambda s: (contents.used[s], s.name, s.folder)):
        if left <= most_bytes * KEPT_SHARE:
            break
        delete_segment(shards, segment.folder, segment.name)
        shards.delete(contents.notes[segment])
        left -= segment.name.size_bytes
    return left


def delete_segment(shards: Shards, folder: str, name: SegmentName) -> None:
    """Delete a segment: its index first, without which nobody looks for its records."""
    shards.delete([name.index(folder)])
    shards.delete([name.records(folder)])


def write_segment(
    shards: Shards, folder: str, digest: int, index: Index, records: NDArray[np.void] | None
) -> SegmentName:
    """Write a segment: its records first, so that whoever sees its index finds them.

    Raises:
        StoreUnavailableError: The place of the shards refuses.
    """
    raw = index.to_bytes()
    size = len(raw) + (0 if records is None else records.nbytes)
    name = SegmentName(this_hour(), size, digest)
    if records is not None:
        shards.write(name.records(folder), [records.tobytes()])
    shards.write(name.index(folder), [raw])
    return name


def merge_segments(shards: Shards, folder: str, names: Sequence[SegmentName]) -> bool:
    """Merge the small ones among the segments of a folder if they are many.

    Of very many, the oldest ones; each later job goes on with it.

    Whatever happens meanwhile, each row stays in one of the segments before or in the one after.

    Returns:
        Whether any were merged.

    Raises:
        StoreUnavailableError: The place of the shards refuses.
    """
    small = [name for name in names if name.size_bytes < SMALL_BYTES]
    if len(small) <= MOST_SMALL:
        return False
    digest = _digest_names(small)
    claim = f"{folder}/merging/{this_hour():08x}-{digest:016x}"
    if not shards.create(claim, b""):
        return False  # another process does it
    for group in islice(_split(small), MOST_GROUPS):
        _merge_group(shards, folder, group)
    shards.delete(list(shards.names(f"{folder}/merging")))
    return True


def _digest_names(names: Sequence[SegmentName]) -> int:
    """Digest what is merged: two processes that merge the same write the same."""
    return xxhash.xxh3_64_intdigest("".join(map(str, names)).encode())


def _split(names: Sequence[SegmentName]) -> Iterator[list[SegmentName]]:
    group, size = list[SegmentName](), 0
    for name in names:
        if group and size + name.size_bytes > MERGED_BYTES:
            yield group
            group, size = [], 0
        group.append(name)
        size += name.size_bytes
    yield group


def _merge_group(shards: Shards, folder: str, names: Sequence[SegmentName]) -> None:
    indexes, merged = list[Index](), list[SegmentName]()
    records = list[NDArray[np.void] | None]()
    for name in names:
        try:
            index, found = read_segment(shards, folder, name)
        except ShardLostError:
            continue
        except DamagedSegmentError as error:
            logger.warning("rows of the cache are damaged: %s", error, extra={"segment": str(name)})
            delete_segment(shards, folder, name)
            continue
        form = next((i.form for i in indexes if i.form), index.form)
        if index.form in (None, form):
            indexes.append(index)
            records.append(found)
            merged.append(name)
    if len(merged) < 2:
        return
    digest = _digest_names(merged)
    index, rows = join_segments(indexes, records)
    written = write_segment(shards, folder, digest, index, rows)
    for name in merged:
        if name != written:
            delete_segment(shards, folder, name)


def read_segment(
    shards: Shards, folder: str, name: SegmentName
) -> tuple[Index, NDArray[np.void] | None]:
    """Read a whole segment.

    Raises:
        ShardLostError: It is gone.
        DamagedSegmentError: It is not as it was written.
        StoreUnavailableError: The place of the shards refuses.
    """
    index = Index.from_bytes(shards.read(name.index(folder)))
    if index.form is None:
        return index, None
    raw = shards.read(name.records(folder))
    if len(raw) % index.form.record.itemsize:
        raise DamagedSegmentError("its records end early")
    records = np.frombuffer(raw, index.form.record)
    entries = index.contents[index.contents["kind"] == RECORD]
    if len(entries) and entries["place"].max() >= len(records):
        raise DamagedSegmentError("records are missing")
    check_records(records[entries["place"]], join_keys(entries["high"], entries["low"]))
    return index, records


def join_segments(
    indexes: Sequence[Index], records: Sequence[NDArray[np.void] | None]
) -> tuple[Index, NDArray[np.void] | None]:
    """Join segments whose records have one form; of equal contents, the first one stays."""
    contents, n_records, n_refusals = [], 0, 0
    for index, found in zip(indexes, records, strict=True):
        entries = index.contents.copy()
        entries["place"][entries["kind"] == RECORD] += n_records
        entries["place"][entries["kind"] == FAILURE] += n_refusals
        contents.append(entries)
        n_records += 0 if found is None else len(found)
        n_refusals += len(index.refusals)
    entries = _first_of_each(np.concatenate(contents))
    states = _first_of_each(np.concatenate([index.states for index in indexes]))
    refusals = tuple(refusal for index in indexes for refusal in index.refusals)
    present = [found for found in records if found is not None]
    form = next((index.form for index in indexes if index.form), None)
    if not present:
        return Index(form, entries, states, refusals), None
    is_record = entries["kind"] == RECORD
    kept = np.concatenate(present)[entries["place"][is_record]]
    entries["place"][is_record] = np.arange(len(kept))
    return Index(form, entries, states, refusals), kept


def _first_of_each(entries: NDArray[np.void]) -> NDArray[np.void]:
    ordered = SortedEntries(entries).entries
    _, first = np.unique(ordered[["high", "low"]], return_index=True)
    return ordered[np.sort(first)]
