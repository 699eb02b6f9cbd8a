"""The shards of one job: what is large of each batch, under names that a commit makes count.

A shard is written whole, under a name of its attempt, before the commit's script notes that name in
a hash of the ledger. So an attempt that comes too late changes nothing, wherever shards are kept.
"""

import mmap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum

from xxhash import xxh3_64

from shoal.shared.errors import ShardLostError, StoreFullError, StoreUnavailableError
from shoal.shared.redis.connection import RedisClient
from shoal.shared.shards import RedisShards, Shards
from shoal.shared.shards.redis import shard_key
from shoal.shared.store.keys import JobKeys

Content = bytes | memoryview | mmap.mmap


class Commit(StrEnum):
    """What became of a batch's output."""

    COMMITTED = "committed"
    LAST = "last"  # the wave is complete, and its chord cannot be counted upon
    DUPLICATE = "duplicate"
    STALE = "stale"


class Kind(StrEnum):
    """What a shard has of a batch."""

    FEATURES = "features"  # rows of features, and after them their statistics
    THUMBNAILS = "thumbnails"  # JPEG sheet
    COORDINATES = "coordinates"  # principal components of each image, float32, row-major


Contents = Mapping[Kind, Sequence[bytes | memoryview]]


class JobShards:
    """Writes and reads the shards of one job, in whichever place they are kept.

    The names of its methods are those in the ledger, within the job: KIND/BATCH-TOKEN-CHECKSUM.
    """

    def __init__(self, client: RedisClient, job_id: str, place: Shards) -> None:
        self.client = client
        self.keys = JobKeys(job_id)
        self.place = place
        self._verified = set[str]()

    def commit(
        self, batch: int, token: str, contents: Contents, send: Callable[[dict[Kind, str]], Commit]
    ) -> Commit:
        """Write the shards of a batch and commit them; those that do not count are deleted.

        Args:
            batch: Number of the batch.
            token: Of the attempt; no other one has it.
            contents: What each shard is to have, in parts.
            send: Sends the commit with the name of each shard.

        Raises:
            StoreUnavailableError: Redis or the place of shards refuses for now.
        """
        names = dict[Kind, str]()
        is_sent = False
        try:
            for kind, parts in contents.items():
                names[kind] = name = _name_shard(kind, batch, token, parts)
                self.place.write(self._whole(name), parts)
            is_sent = True
            commit = send(names)
        except StoreUnavailableError as error:
            # A commit without a reply may have made them count; a full Redis has surely not.
            if not is_sent or isinstance(error, StoreFullError):
                self._delete(names.values())
            raise
        if commit in {Commit.DUPLICATE, Commit.STALE}:
            # One of these may be the second reply to a commit whose first was lost.
            counted = {self.name(kind, batch) for kind in names}
            self._delete(set(names.values()) - counted)
        return commit

    def _delete(self, names: Iterable[str | None]) -> None:
        with suppress(StoreUnavailableError):  # else they are swept later
            self.place.delete([self._whole(name) for name in names if name])

    def name(self, kind: Kind, batch: int) -> str | None:
        """Return the name of the shard that counts; None if there is none, or not any more."""
        raw = self.client.hget(self.keys.shards(kind), str(batch))
        return raw.decode() if raw else None

    def names(self, kind: Kind) -> dict[int, str]:
        """Return the names of the shards that count, by batch."""
        raw = self.client.hgetall(self.keys.shards(kind))
        return {int(batch): name.decode() for batch, name in raw.items()}

    def read(self, name: str) -> Content:
        """Read a shard, mapped where it is a file, and held against its checksum.

        Raises:
            ShardLostError: It is missing or damaged; a damaged one is deleted.
        """
        content = self._load(name)
        if name in self._verified or _digest([content]) == _checksum_of(name):
            self._verified.add(name)
            return content
        if _digest([again := self._load(name)]) == _checksum_of(name):  # by chance of a network
            return again
        self._delete([name])
        raise self._lost(f"Shard {self._whole(name)} is damaged in {self.place.url}")

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read parts of a shard, each given by its start and its length in bytes.

        Raises:
            ShardLostError: It is missing, or too short; one that is too short is deleted.
        """
        try:
            return self.place.read_ranges(self._whole(name), ranges)
        except ShardLostError as error:
            self._delete([name])  # else a retry would find it there, and fail as this did
            raise self._lost(str(error)) from error

    def find_lost(self, kind: Kind) -> dict[int, str]:
        """Find the shards that should be there and are not, by batch."""
        names = self.names(kind)
        found = set(self.place.names(self._whole(kind))) if names else set[str]()
        return {batch: name for batch, name in names.items() if self._whole(name) not in found}

    def _load(self, name: str) -> Content:
        whole = self._whole(name)
        try:
            path = self.place.path(whole) if self.place.maps_files else None
            if path:
                with suppress(OSError, ValueError), path.open("rb") as file:
                    return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            return self.place.read(whole)  # an empty file cannot be mapped; others are explained
        except ShardLostError as error:
            raise self._lost(str(error)) from error

    def _whole(self, name: str) -> str:
        return f"jobs/{self.keys.job_id}/{name}"

    def _lost(self, why: str) -> ShardLostError:
        """Explain a loss: what is there may not be the place where the job's shards are."""
        raw = self.client.hget(self.keys.job, "place_url")
        where = raw.decode() if raw else "Redis"
        if where == self.place.url:
            return ShardLostError(f"{why.rstrip('.')}.")
        return ShardLostError(
            f"Job {self.keys.job_id} keeps its shards in {where}, which is not {self.place.url}:"
            " set SHOAL_SHARDS_URL as where the job was submitted."
        )


def key_prefix(job: JobKeys) -> str:
    """Return what the key of a shard in Redis begins with, before its name within the job."""
    return shard_key(f"jobs/{job.job_id}/x")[:-1]


def is_in_redis(place: Shards) -> bool:
    """Return whether shards expire with the keys of their job, since they are keys, too."""
    return isinstance(place, RedisShards)


def _name_shard(kind: Kind, batch: int, token: str, parts: Sequence[bytes | memoryview]) -> str:
    return f"{kind}/{batch:06}-{token}-{_digest(parts)}"


def _checksum_of(name: str) -> str:
    return name.rpartition("-")[2]


def _digest(parts: Sequence[Content]) -> str:
    digest = xxh3_64()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
