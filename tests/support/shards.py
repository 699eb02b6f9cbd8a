"""Places of shards, one of each kind, for the tests that hold for all."""

import secrets
from collections.abc import Mapping
from typing import Any

from shoal.shared.shards import RedisShards, Shards, find_id
from shoal.shared.shards.urls import open_place
from shoal.shared.store import Commit, JobShards, Kind, Ledger

PLACES = ("redis", "files", "objects")


def open_shards(redis: Any, url: str | None) -> Shards:
    """Open an empty place, in Redis without a URL; it has its id."""
    place = open_place(url) if url else RedisShards(redis)
    find_id(place)
    return place


def commit_features(
    shards: JobShards,
    ledger: Ledger,
    batch: int,
    features: bytes = b"features",
    counts: tuple[int, int] = (1, 0),
    notes: Mapping[str, bytes] | None = None,
) -> Commit:
    """Write the features of a batch and commit it, as another attempt each time."""
    return shards.commit(
        batch,
        f"ffffffff{secrets.token_hex(6)}",  # as of a process at work
        {Kind.FEATURES: [features]},
        lambda names: ledger.batches.commit_loading(batch, names, counts, notes or {}),
    )
