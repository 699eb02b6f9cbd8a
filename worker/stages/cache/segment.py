"""Segments: the rows that one batch extracted, in two shards: records, and an index of them.

A segment is written whole and never changed. A record and an index tell by a checksum whether they
are as they were written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import xxhash
from numpy.typing import NDArray

from shoal.shared.findings import FailureReason
from shoal.shared.wire import decode, encode
from shoal.worker.images.hashes import HASH_DTYPE
from shoal.worker.images.thumbnails import TILE_DTYPE

# What an entry of the index says of a content: it has a record, it cannot be used, or its record
# depends on which values are black and white in a job.
RECORD, FAILURE, DEEP = 0, 1, 2

# A key is 128 bits, in two numbers so that they can be sorted and searched.
KEY_BYTES = 16
CONTENT_DTYPE = np.dtype([("high", "<u8"), ("low", "<u8"), ("place", "<u4"), ("kind", "<u4")])
# The state of a file, and the content that it had.
STATE_DTYPE = np.dtype(
    [("high", "<u8"), ("low", "<u8"), ("content_high", "<u8"), ("content_low", "<u8")]
)

CHECKSUM_BYTES = 8
LENGTH_BYTES = 4


class DamagedSegmentError(Exception):
    """A segment is not as it was written; its rows are to be made again."""


@dataclass(frozen=True)
class Form:
    """The form of the records of a segment: features of ``columns`` of ``dtype``.

    ``widths`` are the columns of each extractor, side by side.
    """

    columns: int
    dtype: str
    widths: tuple[int, ...]

    @property
    def record(self) -> np.dtype[np.void]:
        """The type of a record."""
        return np.dtype(
            [
                ("features", self.dtype, (self.columns,)),
                ("hashes", HASH_DTYPE),
                ("tile", TILE_DTYPE),
                ("checksum", "<u8"),
            ]
        )


@dataclass(frozen=True)
class Refusal:
    """Why a content cannot be used."""

    reason: FailureReason
    detail: str


@dataclass(frozen=True)
class Index:
    """What a segment has, sorted by key.

    Attributes:
        form: Of its records; None if it has none.
        contents: Of CONTENT_DTYPE; ``place`` is that of the record, or of the refusal.
        states: Of STATE_DTYPE.
        refusals: Why contents cannot be used.
    """

    form: Form | None
    contents: NDArray[np.void]
    states: NDArray[np.void]
    refusals: tuple[Refusal, ...]

    def to_bytes(self) -> bytes:
        """Write the index, with its checksum."""
        head = encode(_Head(self.form, len(self.contents), len(self.states), self.refusals))
        length = len(head).to_bytes(LENGTH_BYTES, "little")
        body = b"".join([length, head, self.contents.tobytes(), self.states.tobytes()])
        return body + xxhash.xxh3_64_digest(body)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read an index that ``to_bytes`` wrote.

        Raises:
            DamagedSegmentError: It did not write this.
        """
        body = raw[:-CHECKSUM_BYTES]
        if xxhash.xxh3_64_digest(body) != raw[-CHECKSUM_BYTES:]:
            raise DamagedSegmentError("its index has another checksum")
        try:
            start = LENGTH_BYTES + int.from_bytes(body[:LENGTH_BYTES], "little")
            head = decode(body[LENGTH_BYTES:start], _Head)
            contents = np.frombuffer(body, CONTENT_DTYPE, head.contents, start)
            states = np.frombuffer(body, STATE_DTYPE, head.states, start + contents.nbytes)
        except ValueError as error:
            raise DamagedSegmentError(f"its index is of another form: {error}") from error
        return cls(head.form, contents, states, head.refusals)

    def without_entries(self) -> Self:
        """Return what is not found by a key."""
        return replace(self, contents=self.contents[:0].copy(), states=self.states[:0].copy())


@dataclass(frozen=True)
class _Head:
    """The beginning of an index: what follows it, and how much."""

    form: Form | None
    contents: int
    states: int
    refusals: tuple[Refusal, ...]


@dataclass
class SortedEntries:
    """Entries of an index, sorted by key; of equal keys, the first stays first."""

    entries: NDArray[np.void]
    # In one piece: a search in every second number would copy them each time.
    _highs: NDArray[np.uint64] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = self.entries[np.argsort(self.entries["high"], kind="stable")]
        self._highs = np.ascontiguousarray(self.entries["high"])

    def search(self, keys: Sequence[bytes]) -> NDArray[np.intp]:
        """Return the place of each key among the entries, and -1 for those that are not there."""
        if not len(self.entries) or not keys:
            return np.full(len(keys), -1, np.intp)
        high, low = split_keys(keys).T
        places = np.searchsorted(self._highs, high)
        places[places == len(self.entries)] = 0
        found = self.entries[places]
        return np.where((found["high"] == high) & (found["low"] == low), places, -1)


def split_keys(keys: Iterable[bytes]) -> NDArray[np.uint64]:
    """Split keys into two numbers each, of shape (n, 2)."""
    return np.frombuffer(b"".join(keys), "<u8").reshape(-1, 2).astype(np.uint64, copy=False)


def join_keys(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> list[bytes]:
    """Join the numbers that ``split_keys`` made into keys."""
    raw = np.stack([high, low], axis=1).astype("<u8").tobytes()
    return [raw[start : start + KEY_BYTES] for start in range(0, len(raw), KEY_BYTES)]


def make_index(
    form: Form | None,
    contents: Sequence[tuple[bytes, int, int]],
    states: Sequence[tuple[bytes, bytes]],
    refusals: Iterable[Refusal],
) -> Index:
    """Make an index of entries in any order.

    Args:
        form: Of the records; None if there are none.
        contents: Key, place and kind of each.
        states: Key of each, and that of its content.
        refusals: In the order of their places.
    """
    entries = np.empty(len(contents), CONTENT_DTYPE)
    entries["high"], entries["low"] = split_keys(key for key, _, _ in contents).T
    entries["place"] = [place for _, place, _ in contents]
    entries["kind"] = [kind for _, _, kind in contents]
    files = np.empty(len(states), STATE_DTYPE)
    files["high"], files["low"] = split_keys(key for key, _ in states).T
    files["content_high"], files["content_low"] = split_keys(key for _, key in states).T
    return Index(
        form, SortedEntries(entries).entries, SortedEntries(files).entries, tuple(refusals)
    )


def make_records(
    form: Form,
    keys: Sequence[bytes],
    features: NDArray[Any],
    hashes: NDArray[np.void],
    tiles: NDArray[np.void],
) -> NDArray[np.void]:
    """Make the records of rows, each sealed for its key, shape (n,)."""
    records = np.empty(len(keys), form.record)
    records["features"], records["hashes"], records["tile"] = features, hashes, tiles
    records["checksum"] = _seal(records, keys)
    return records


def check_records(records: NDArray[np.void], keys: Sequence[bytes]) -> None:
    """Check that records are those that were made for ``keys``.

    Raises:
        DamagedSegmentError: One is not.
    """
    if records["checksum"].tolist() != _seal(records, keys):
        raise DamagedSegmentError("a record has another checksum")


def _seal(records: NDArray[np.void], keys: Sequence[bytes]) -> list[int]:
    """Compute the checksums of records for their keys: none may stand for another's."""
    sealed = records.itemsize - CHECKSUM_BYTES
    raw = memoryview(np.ascontiguousarray(records).tobytes())
    starts = range(0, len(raw), records.itemsize)
    return [
        xxhash.xxh3_64_intdigest(raw[start : start + sealed], int.from_bytes(key[:8], "little"))
        for start, key in zip(starts, keys, strict=True)
    ]
