"""Places of shards, one of each kind, for the tests that hold for all."""

from pathlib import Path
from typing import Any

from shoal.shared.shards import FileShards, RedisShards, Shards, find_id

PLACES = ("redis", "files")


def open_shards(kind: str, redis: Any, directory: Path) -> Shards:
    """Open an empty place of a kind, which has its id."""
    place: Shards = RedisShards(redis) if kind == "redis" else FileShards(directory / "shards")
    find_id(place)
    return place
