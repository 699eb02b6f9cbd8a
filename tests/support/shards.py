"""Places of shards, one of each kind, for the tests that hold for all."""

from typing import Any

from shoal.shared.shards import RedisShards, Shards, find_id
from shoal.shared.shards.urls import open_place

PLACES = ("redis", "files", "objects")


def open_shards(redis: Any, url: str | None) -> Shards:
    """Open an empty place, in Redis without a URL; it has its id."""
    place = open_place(url) if url else RedisShards(redis)
    find_id(place)
    return place
