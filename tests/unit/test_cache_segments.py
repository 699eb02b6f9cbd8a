"""Segments of the cache, their index, and what becomes of many of them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.shared.errors import ShardLostError
from shoal.shared.findings import FailureReason
from shoal.shared.shards import FileShards, find_id
from shoal.worker.images.hashes import HASH_DTYPE
from shoal.worker.images.thumbnails import TILE_DTYPE
from shoal.worker.stages.cache import lookup as lookups
from shoal.worker.stages.cache import names, row_cache, upkeep
from shoal.worker.stages.cache.learned import Learned
from shoal.worker.stages.cache.lookup import Entry, Lookup, find_ranges
from shoal.worker.stages.cache.names import SegmentName
from shoal.worker.stages.cache.row_cache import RowCache
from shoal.worker.stages.cache.segment import (
    DEEP,
    FAILURE,
    RECORD,
    DamagedSegmentError,
    Form,
    Index,
    Refusal,
    check_records,
    make_index,
    make_records,
)
from shoal.worker.stages.cache.upkeep import measure_cache, merge_segments, trim_cache

FOLDER = "cache/0123"
FORM = Form(3, "|u1", (3,))
DAMAGED = Refusal(FailureReason.DAMAGED, "broken \udcff")

KEYS = st.binary(min_size=16, max_size=16)


def key(number: int) -> bytes:
    """Spread over all of their range, as digests are."""
    return (number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).to_bytes(16, "big")


def rows(numbers: Iterable[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, hashes and tiles that tell the number of their image."""
    whole = np.array(list(numbers))
    features = np.repeat(whole[:, None] % 251, 3, axis=1).astype(np.uint8)
    hashes = np.zeros(len(whole), HASH_DTYPE)
    hashes["content"] = whole
    tiles = np.empty(len(whole), TILE_DTYPE)
    tiles["ratio"] = whole % 251
    tiles["pixels"] = tiles["ratio"][:, None, None, None]
    return features, hashes, tiles


def learn(numbers: Iterable[int]) -> Learned:
    numbers = list(numbers)
    states = {key(-n - 1): key(n) for n in numbers}
    return Learned(rows=[key(n) for n in numbers], states=states)


@pytest.fixture
def shards(tmp_path: Path) -> FileShards:
    shards = FileShards(tmp_path / "shards")
    find_id(shards)
    return shards


@pytest.fixture
def cache(shards: FileShards) -> RowCache:
    return RowCache(shards, 2**30)


@pytest.fixture
def write(cache: RowCache) -> Callable[[Iterable[int]], None]:
    """Writes a segment of the images with these numbers."""

    def write(numbers: Iterable[int]) -> None:
        numbers = list(numbers)
        cache.write(FOLDER, learn(numbers), *rows(numbers), FORM.widths)

    return write


def open_lookup(shards: FileShards) -> Lookup:
    lookup = Lookup(shards, FOLDER)
    lookup.refresh()
    return lookup


def locate(lookup: Lookup, number: int) -> Entry:
    """Where a content is that is known."""
    (entry,) = lookup.find_contents([key(number)])
    assert entry
    return entry


def read(lookup: Lookup | None, number: int) -> int | None:
    """The number that the row of an image tells; None if it is not known."""
    assert lookup
    (content,) = lookup.find_states([key(-number - 1)])
    (entry,) = lookup.find_contents([content]) if content else (None,)
    if entry is None:
        return None
    records = lookup.read_records(entry.segment, [entry.place], [key(number)])
    return None if records is None else int(records["hashes"]["content"][0])


@given(
    contents=st.lists(
        st.tuples(KEYS, st.integers(0, 2**32 - 1), st.sampled_from([RECORD, FAILURE, DEEP]))
    ),
    states=st.lists(st.tuples(KEYS, KEYS)),
    form=st.sampled_from([None, FORM, Form(1280, "<f4", (1280,)), Form(5, "<f4", (2, 3))]),
    refusals=st.lists(st.just(DAMAGED), max_size=3),
)
def test_an_index_comes_back_as_it_was(contents, states, form, refusals) -> None:
    index = make_index(form, contents, states, refusals)
    again = Index.from_bytes(index.to_bytes())
    assert again.form == form
    assert again.refusals == tuple(refusals)
    assert again.contents.tolist() == index.contents.tolist()
    assert again.states.tolist() == index.states.tolist()
    assert (np.diff(again.contents["high"].astype(object)) >= 0).all()


@given(data=st.data())
def test_an_index_with_any_other_byte_is_damaged(data) -> None:
    raw = bytearray(learn(range(3)).make_index(FORM).to_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedSegmentError):
        Index.from_bytes(bytes(raw))


@pytest.mark.parametrize("raw", [b"", b"1234", b"x" * 100])
def test_what_is_no_index_is_damaged(raw: bytes) -> None:
    with pytest.raises(DamagedSegmentError):
        Index.from_bytes(raw)


@given(data=st.data())
def test_a_record_with_any_other_byte_is_damaged(data) -> None:
    keys = [key(1), key(2)]
    raw = bytearray(make_records(FORM, keys, *rows([1, 2])).tobytes())
    check_records(np.frombuffer(bytes(raw), FORM.record), keys)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedSegmentError):
        check_records(np.frombuffer(bytes(raw), FORM.record), keys)


def test_a_record_of_another_image_is_damaged() -> None:
    records = make_records(FORM, [key(1), key(2)], *rows([1, 2]))
    with pytest.raises(DamagedSegmentError):
        check_records(records, [key(2), key(1)])


@given(st.lists(st.integers(0, 30)).map(sorted))
def test_ranges_cover_the_records_and_nothing_else(places: list[int]) -> None:
    ranges = find_ranges(places, 10)
    covered = [start + n for start, length in ranges for n in range(0, length, 10)]
    assert covered == [place * 10 for place in places]


def test_one_look_finds_what_is_there_and_what_is_not(shards, write) -> None:
    write(range(10))
    write(range(20, 30))
    lookup = open_lookup(shards)
    assert [read(lookup, n) for n in (0, 9, 10, 20, 29)] == [0, 9, None, 20, 29]
    found = lookup.find_contents([key(5), key(15), key(25)])
    assert found == [locate(lookup, 5), None, locate(lookup, 25)]


def test_a_lookup_of_nothing_finds_nothing(shards) -> None:
    lookup = open_lookup(shards)
    assert lookup.find_states([key(1)]) == [None]
    assert lookup.find_contents([key(1)]) == [None]
    assert lookup.find_contents([]) == []


def test_what_cannot_be_used_is_kept_with_its_cause(shards, cache) -> None:
    learned = Learned(refusals={key(7): DAMAGED}, deep={key(8)}, states={key(-8): key(7)})
    cache.write(FOLDER, learned, *rows([]), FORM.widths)
    lookup = open_lookup(shards)
    refused, deep = locate(lookup, 7), locate(lookup, 8)
    assert refused.kind == FAILURE
    assert lookup.refusal(refused) == DAMAGED
    assert deep.kind == DEEP
    assert list(shards.names(f"{FOLDER}/records")) == []


def test_a_lookup_sees_later_segments_once_it_is_refreshed(shards, write, monkeypatch) -> None:
    write([1])
    lookup = open_lookup(shards)
    write([2])
    assert read(lookup, 2) is None
    reads = count()
    reading = shards.read
    monkeypatch.setattr(shards, "read", lambda name: (next(reads), reading(name))[1])
    lookup.refresh()
    assert next(reads) == 1  # what was read before is not read again
    assert (read(lookup, 1), read(lookup, 2)) == (1, 2)


def test_records_without_an_index_are_found_by_nobody(shards, write) -> None:
    write([1])
    (index,) = shards.names(f"{FOLDER}/index")
    shards.delete([index])
    assert read(open_lookup(shards), 1) is None


def test_an_index_without_records_is_deleted(shards, write) -> None:
    write([1])
    lookup = open_lookup(shards)
    (records,) = shards.names(f"{FOLDER}/records")
    shards.delete([records])
    assert read(lookup, 1) is None
    assert list(shards.names(f"{FOLDER}/index")) == []
    assert lookup.find_contents([key(1)]) == [None]
    write([1])
    lookup.refresh()
    assert read(lookup, 1) == 1


def test_many_small_segments_become_one(shards, write) -> None:
    for number in range(upkeep.MOST_SMALL + 1):
        write([number, number + 1])
    lookup = open_lookup(shards)
    assert merge_segments(shards, FOLDER, lookup.segments)
    lookup.refresh()
    (merged,) = lookup.segments
    assert [read(lookup, n) for n in range(upkeep.MOST_SMALL + 2)] == list(
        range(upkeep.MOST_SMALL + 2)
    )
    # Each image once, and the size is in the name.
    assert (
        len(shards.read(merged.records(FOLDER))) == (upkeep.MOST_SMALL + 2) * FORM.record.itemsize
    )
    names = (merged.records(FOLDER), merged.index(FOLDER))
    assert merged.size_bytes == sum(len(shards.read(name)) for name in names)
    assert list(shards.names(f"{FOLDER}/merging")) == []
    assert not merge_segments(shards, FOLDER, lookup.segments)


def test_a_merge_keeps_causes_and_leaves_damaged_segments_out(
    shards, write, cache, monkeypatch
) -> None:
    monkeypatch.setattr(upkeep, "MOST_SMALL", 3)
    for number in range(3):
        write([number])
    for number in (7, 8):
        refusal = replace(DAMAGED, detail=str(number))
        cache.write(FOLDER, Learned(refusals={key(number): refusal}), *rows([]), FORM.widths)
    lookup = open_lookup(shards)
    victim = lookup.segments[locate(lookup, 1).segment]
    path = shards.path(victim.records(FOLDER))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert merge_segments(shards, FOLDER, lookup.segments)
    lookup.refresh()
    assert [read(lookup, n) for n in range(3)] == [0, None, 2]
    assert [lookup.refusal(locate(lookup, n)).detail for n in (7, 8)] == ["7", "8"]


def test_very_many_segments_are_merged_by_several_jobs(shards, write, monkeypatch) -> None:
    for name, value in {"MOST_SMALL": 3, "MOST_GROUPS": 2}.items():
        monkeypatch.setattr(upkeep, name, value)
    for number in range(12):
        write([number])
    lookup = open_lookup(shards)
    size = max(name.size_bytes for name in lookup.segments)
    monkeypatch.setattr(upkeep, "MERGED_BYTES", 3 * size)
    monkeypatch.setattr(upkeep, "SMALL_BYTES", 2 * size)
    left = []
    while merge_segments(shards, FOLDER, lookup.segments):
        lookup.refresh()
        left.append(len(lookup.segments))
        assert [read(lookup, n) for n in range(12)] == list(range(12))
    assert left == [8, 4]


def test_only_one_process_merges(shards, write, monkeypatch) -> None:
    monkeypatch.setattr(upkeep, "MOST_SMALL", 1)
    write([1])
    write([2])
    listed = open_lookup(shards).segments
    merging: list[bool] = []
    group = upkeep._merge_group

    def merge_twice(*arguments: Any) -> None:
        merging.append(merge_segments(shards, FOLDER, listed))
        group(*arguments)

    monkeypatch.setattr(upkeep, "_merge_group", merge_twice)
    assert merge_segments(shards, FOLDER, listed)
    assert merging == [False]


@pytest.mark.parametrize("step", range(6))
def test_a_merge_that_is_killed_at_any_step_loses_no_row(shards, write, monkeypatch, step) -> None:
    monkeypatch.setattr(upkeep, "MOST_SMALL", 1)
    write([1])
    write([2])
    left = count(step, -1)

    def killed_at_last(method):
        def call(*arguments):
            if next(left) == 0:
                raise KeyboardInterrupt
            return method(*arguments)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(shards, "write", killed_at_last(shards.write))
        patch.setattr(shards, "delete", killed_at_last(shards.delete))
        with pytest.raises(KeyboardInterrupt):
            merge_segments(shards, FOLDER, open_lookup(shards).segments)
    lookup = open_lookup(shards)
    assert (read(lookup, 1), read(lookup, 2)) == (1, 2)


def test_a_lookup_during_a_merge_does_without_what_is_gone(shards, write, monkeypatch) -> None:
    monkeypatch.setattr(upkeep, "MOST_SMALL", 1)
    write([1])
    write([2])
    lookup = open_lookup(shards)
    merge_segments(shards, FOLDER, lookup.segments)
    assert read(lookup, 1) is None
    lookup.refresh()
    assert (read(lookup, 1), read(lookup, 2)) == (1, 2)


def test_what_was_used_longest_ago_goes_first(shards, write, monkeypatch) -> None:
    hour = [1000]
    monkeypatch.setattr(names, "this_hour", lambda: hour[0])
    monkeypatch.setattr(upkeep, "this_hour", lambda: hour[0])
    for number in range(4):
        hour[0] += 1
        write([number])
    size = measure_cache(shards) // 4
    hour[0] += 1
    assert read(open_lookup(shards), 0) == 0
    assert trim_cache(shards, int(size * 2.3)) == size * 2
    lookup = open_lookup(shards)
    assert [read(lookup, n) for n in range(4)] == [0, None, None, 3]
    assert trim_cache(shards, 0) == 0
    assert list(shards.names("cache")) == []


def test_a_use_is_noted_once_an_hour(shards, write, monkeypatch) -> None:
    hour = [1000]
    monkeypatch.setattr(names, "this_hour", lambda: hour[0])
    monkeypatch.setattr(upkeep, "this_hour", lambda: hour[0])
    write([1])
    lookup = open_lookup(shards)
    notes = []
    for _ in range(3):
        read(lookup, 1)
        read(lookup, 1)
        notes.append(len(list(shards.names(f"{FOLDER}/used"))))
        hour[0] += 1
    assert notes == [0, 1, 2]  # what was written in this hour needs no note
    lookup.refresh()
    assert len(list(shards.names(f"{FOLDER}/used"))) == 1


def test_records_that_a_killed_process_left_are_deleted_in_time(shards, monkeypatch) -> None:
    hour = names.this_hour()
    new, old = (SegmentName(h, 10, 1) for h in (hour, hour - 3))
    for name in (new, old):
        shards.write(name.records(FOLDER), [b"0123456789"])
    trim_cache(shards, 2**30)
    assert list(shards.names("cache")) == [new.records(FOLDER)]


def test_names_that_are_no_segments_are_left_alone(shards) -> None:
    for name in (f"{FOLDER}/index/what", "cache/readme", f"{FOLDER}/used/x.00000000"):
        shards.write(name, [b"what"])
    assert open_lookup(shards).segments == []
    assert trim_cache(shards, 0) == 0
    assert len(list(shards.names("cache"))) == 3


def test_one_batch_may_not_drive_out_all_others(shards) -> None:
    small = RowCache(shards, 8000)
    small.write(FOLDER, learn([1]), *rows([1]), FORM.widths)
    small.write(FOLDER, learn([2, 3]), *rows([2, 3]), FORM.widths)
    lookup = open_lookup(shards)
    assert [read(lookup, n) for n in (1, 2, 3)] == [1, None, None]


def test_indexes_of_a_bucket_are_read_side_by_side(shards, write, monkeypatch) -> None:
    for number in range(lookups.READERS + 1):
        write([number])
    monkeypatch.setattr(type(shards), "maps_files", False)
    lookup = open_lookup(shards)
    assert [read(lookup, n) for n in range(lookups.READERS + 2)] == [
        *range(lookups.READERS + 1),
        None,
    ]


def test_a_job_looks_once_and_a_lost_batch_again(shards, write, monkeypatch) -> None:
    cache = RowCache(shards, 2**30)
    write([1])
    assert read(cache.find_lookup(FOLDER, "job", 1), 1) == 1
    write([2])
    assert read(cache.find_lookup(FOLDER, "job", 1), 2) is None
    assert read(cache.find_lookup(FOLDER, "job", 2), 2) == 2
    write([3])
    assert read(cache.find_lookup(FOLDER, "next job", 1), 3) == 3


def test_a_place_that_cannot_be_read_is_asked_again_by_the_next_job(
    shards, write, monkeypatch
) -> None:
    write([1])
    cache = RowCache(shards, 2**30)

    def refuse(*_: object) -> None:
        raise ShardLostError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(row_cache, "find_id", refuse)
        assert cache.find_lookup(FOLDER, "job", 1) is None
    assert cache.find_lookup(FOLDER, "job", 1) is None
    assert read(cache.find_lookup(FOLDER, "next job", 1), 1) == 1


def test_processes_that_write_at_once_keep_within_the_limit_together(shards) -> None:
    caches = [RowCache(shards, 2**20) for _ in range(8)]
    for number in range(800):
        cache = caches[number % len(caches)]
        cache.write(FOLDER, learn([number]), *rows([number]), FORM.widths)
    assert measure_cache(shards) < 1.1 * 2**20


def test_a_shared_directory_that_is_not_mounted_any_more_gets_no_id(tmp_path: Path) -> None:
    not_mounted = FileShards(tmp_path / "empty")
    not_mounted.root.mkdir()
    cache = RowCache(not_mounted, 2**20, is_own=False)
    cache.find_lookup(FOLDER, "job", 1)
    cache.write(FOLDER, learn([1]), *rows([1]), FORM.widths)
    assert list(not_mounted.names("")) == []
