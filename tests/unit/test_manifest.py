import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.store.manifest import pack_paths, unpack_paths

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
