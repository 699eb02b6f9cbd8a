import os
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.shared.store.manifest import pack_paths, unpack_paths

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
