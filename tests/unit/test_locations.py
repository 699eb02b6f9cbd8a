"""Where the bytes of images are: packed without loss, and small."""

import secrets
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.shared.sources.locations import Location, pack_locations, unpack_locations
from shoal.shared.sources.paths import is_url, join, scheme_of

number = st.integers(0, 2**62)
names = st.binary(max_size=20).map(
    lambda raw: raw.replace(b"\0", b"").decode(errors="surrogateescape")
)
locations = st.builds(
    Location,
    size=st.none() | number,
    version=st.just(b"") | st.binary(min_size=8, max_size=8),
    archive=names,
    offset=number,
    method=st.sampled_from([0, 8]),
    length=number,
    checksum=st.integers(0, 2**32 - 1),
)


@given(st.lists(locations, max_size=20))
def test_any_locations_survive_in_their_order(given_locations):
    assert unpack_locations(pack_locations(given_locations)) == given_locations


def test_of_an_image_in_a_bucket_little_more_is_kept_than_its_version():
    made = [
        Location(size=40_000 + n * 37 % 9000, version=secrets.token_bytes(8)) for n in range(512)
    ]
    assert len(pack_locations(made)) < 12 * 512


def test_of_an_image_in_a_tar_a_few_bytes_are_kept():
    starts = [512 + n * 41_472 for n in range(512)]
    version = secrets.token_bytes(8)
    made = [Location(40_800, version, "0001.tar", start, 0, 40_800) for start in starts]
    assert len(pack_locations(made)) < 6 * 512


def test_what_was_not_packed_here_is_told_apart():
    with pytest.raises(zlib.error):
        unpack_locations(b"something else")


@pytest.mark.parametrize(
    ("source", "path", "whole"),
    [
        ("/photos", "a/b.jpg", "/photos/a/b.jpg"),
        ("/", "a.jpg", "/a.jpg"),
        ("s3://bucket/photos", "a.jpg", "s3://bucket/photos/a.jpg"),
        ("s3://", "bucket/a.jpg", "s3://bucket/a.jpg"),
        ("/photos/holiday.zip", "2019/a.jpg", "/photos/holiday.zip/2019/a.jpg"),
    ],
)
def test_a_path_is_joined_to_a_folder_a_bucket_and_an_archive(source, path, whole):
    assert join(source, path) == whole


def test_a_url_has_a_scheme_and_a_path_has_none():
    assert is_url("s3://bucket")
    assert scheme_of("HTTPS://host/a.jpg") == "https"
    assert not is_url("/photos/a:b")
    assert scheme_of("C:/photos") == ""
