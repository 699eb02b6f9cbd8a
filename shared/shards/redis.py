"""Shards in the Redis of the jobs, where there is no other place for them."""

import re
from collections.abc import Iterable, Iterator, Sequence

from shoal.shared.redis.commands import RedisClient
from shoal.shared.shards.place import Parts, check_name, describe_lost

# A job's shard that no commit has made count is gone after this time.
UNCOUNTED_SECONDS = 600
OF_JOB = re.compile(r"jobs/([^/]+)/(.+)")
KEY = re.compile(r"shoal:(?:\{(?P<job>[^}]+)\}:)?shard:(?P<name>.+)")
# Names in one command.
NAMES_PER_TRIP = 256


def shard_key(name: str) -> str:
    """Return the key of a shard, STRING; those of one job share its hash tag.

    A key is named here and not in the store, which keeps shards in any place.
    """
    of_job = OF_JOB.fullmatch(check_name(name))
    return f"shoal:{{{of_job[1]}}}:shard:{of_job[2]}" if of_job else f"shoal:shard:{name}"


class RedisShards:
    """Shards as keys of a Redis; those of a job expire soon, unless its ledger keeps them."""

    maps_files = False
    url = "Redis"

    def __init__(self, client: RedisClient) -> None:
        self.client = client

    def write(self, name: str, parts: Parts) -> None:
        """Write a shard, whole or not at all; one of the same name is replaced."""
        self.client.set(shard_key(name), b"".join(parts), ex=_lifetime(name))

    def create(self, name: str, data: bytes) -> bool:
        """Write a shard, unless there is one of this name: then return False."""
        return bool(self.client.set(shard_key(name), data, ex=_lifetime(name), nx=True))

    def read(self, name: str) -> bytes:
        """Return a shard."""
        data = self.client.get(shard_key(name))
        if data is None:
            raise describe_lost(self, name)
        return data

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return parts of a shard, each given by its start and its length in bytes."""
        key = shard_key(name)
        with self.client.pipeline(transaction=False) as pipe:
            pipe.strlen(key)
            for start, length in ranges:
                # An end before the start stands for nothing; one of -1 for all.
                pipe.getrange(key, start, max(start + length - 1, 0))
            size, *parts = pipe.execute()
        if not size or any(start + length > size for start, length in ranges):
            raise describe_lost(self, name)
        return [part[:length] for part, (_, length) in zip(parts, ranges, strict=True)]

    def path(self, name: str) -> None:
        """Return None: shards are no files here."""
        check_name(name)

    def delete(self, names: Iterable[str]) -> None:
        """Delete shards; those that are gone are fine."""
        keys = [shard_key(name) for name in names]
        for start in range(0, len(keys), NAMES_PER_TRIP):
            self.client.unlink(*keys[start : start + NAMES_PER_TRIP])

    def names(self, folder: str) -> Iterator[str]:
        """Yield the whole names of all shards below ``folder``, sorted."""
        within = f"{check_name(folder)}/" if folder else ""
        found = (_read_name(raw) for raw in self.client.scan_iter(match=_pattern(folder)))
        yield from sorted({name for name in found if name and name.startswith(within)})

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the whole names of the folders directly in ``folder``, sorted."""
        start = len(folder) + 1 if folder else 0
        rests = (name[start:].split("/") for name in self.names(folder))
        inside = sorted({first for first, *deeper in rests if deeper})
        yield from (f"{folder}/{name}" if folder else name for name in inside)


def _lifetime(name: str) -> int | None:
    return UNCOUNTED_SECONDS if OF_JOB.fullmatch(name) else None


def _pattern(folder: str) -> str:
    """Return a pattern of the keys of all shards below ``folder``, and perhaps of others.

    Nothing in a name has a meaning in a pattern.
    """
    of_job = re.fullmatch(r"jobs/([^/]+)(?:/.+)?", folder)
    if of_job:
        return f"shoal:{{{of_job[1]}}}:shard:*"
    return "shoal:*shard:*"


def _read_name(key: bytes) -> str | None:
    """Return the name of the shard with this key; None if it is that of something else."""
    match = KEY.fullmatch(key.decode(errors="replace"))
    if not match:
        return None
    return f"jobs/{match['job']}/{match['name']}" if match["job"] else match["name"]
