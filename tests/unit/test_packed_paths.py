import os
import subprocess
import sys
import zlib
from contextlib import suppress
from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shoal.producer.submission import paths as packing
from shoal.producer.submission.paths import PackedPaths, PathSorter
from shoal.shared.encoding import pack_paths, unpack_paths

# A path is any bytes but NUL.
paths = st.binary(min_size=1).filter(lambda raw: b"\0" not in raw).map(os.fsdecode)


@given(st.lists(paths, min_size=1))
def test_any_paths_come_back_in_their_order(batch):
    assert unpack_paths(pack_paths(batch)) == batch


def test_long_lists_are_small():
    batch = [f"holiday/2024/summer/IMG_{number:05}.JPG" for number in range(1000)]
    assert len(pack_paths(batch)) < 6 * 1000


def test_what_is_no_manifest_is_refused():
    with pytest.raises(zlib.error):
        unpack_paths(b"no manifest")


@settings(max_examples=30)
@given(st.binary(max_size=200), st.lists(paths, min_size=1, max_size=5))
def test_rubbish_is_refused_or_is_paths_and_nothing_else(rubbish, batch):
    packed = pack_paths(batch)
    for damaged in (rubbish, packed + rubbish, packed[: len(rubbish)], zlib.compress(rubbish)):
        with suppress(zlib.error):
            assert all(isinstance(path, str) for path in unpack_paths(damaged))


@settings(max_examples=30)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_name_of_a_file_system_comes_back(name):
    assert unpack_paths(pack_paths([name, f"deep/er/{name}", "/" * 4095])) == [
        name,
        f"deep/er/{name}",
        "/" * 4095,
    ]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let chunks have 3 paths, and runs 6, so that few paths fill several."""
    monkeypatch.setattr(packing, "CHUNK", 3)
    monkeypatch.setattr(packing, "RUN", 6)


def sort_packed(*parts: list[str]) -> PackedPaths:
    sorter = PathSorter()
    for part in parts:
        sorter.add(part)
    return sorter.pack()


without_fixture_reset = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.usefixtures("small_chunks")
@without_fixture_reset
@given(st.lists(st.lists(paths, max_size=8), max_size=8))
def test_paths_are_sorted_by_their_bytes_however_they_come(parts):
    packed, expected = sort_packed(*parts), sorted(chain(*parts), key=os.fsencode)
    assert list(packed) == expected
    assert packed == expected
    assert len(packed) == len(expected)


@pytest.mark.usefixtures("small_chunks")
@without_fixture_reset
@given(st.lists(paths, max_size=20), st.slices(20), st.integers(-25, 25))
def test_any_part_of_packed_paths_is_that_of_a_list(names, part, index):
    packed, expected = sort_packed(names), sorted(names, key=os.fsencode)
    assert packed[part] == expected[part]
    if -len(names) <= index < len(names):
        assert packed[index] == expected[index]
    else:
        with pytest.raises(IndexError):
            packed[index]


def test_packed_paths_are_not_those_of_another_list():
    packed = sort_packed(["b.jpg", "a\n.jpg"])
    assert packed == ["a\n.jpg", "b.jpg"]
    assert packed != ["a\n.jpg"]
    assert packed != ["a\n.jpg", "c.jpg"]
    assert packed != "a"
    assert packed != 2


LIST_MANY = """
import resource
from collections import Counter
from pathlib import Path
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.paths import PathSorter
from shoal.producer.submission.batches import split_batches
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sorter = PathSorter()
for folder in range(200):
    sorter.add(f"{folder:04}/IMG_{number:06}.jpg" for number in range(1000))
batches = split_batches(sorter.pack(), 512, tapered=True)
assert sum(len(list(batch)) for batch in batches) == 200_000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
def test_paths_take_few_bytes_each():
    done = subprocess.run(
        [sys.executable, "-c", LIST_MANY], capture_output=True, text=True, check=True
    )
    # As a list of text they would take 80 bytes each; 64 × 1,024 of them are sorted at once.
    assert int(done.stdout) < 200_000 * 6 + 65_536 * 200
