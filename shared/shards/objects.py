"""Shards as objects in a bucket: S3 and what speaks its protocol, Google Cloud, Azure."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import ObjectStore

from shoal.shared.buckets.connections import PATIENCE_SECONDS, check_process, open_bucket
from shoal.shared.errors import ShardLostError
from shoal.shared.shards.answers import Answers
from shoal.shared.shards.place import Parts, check_name, describe_lost

# Larger shards travel in parts: three requests more, which only pays where one would take long.
PART_BYTES = 2**24
# What S3 deletes in one request.
DELETED_AT_ONCE = 1000


class ObjectShards:
    """A place in a bucket, such as ``s3://BUCKET/PREFIX``.

    Nothing is sent before the first call, and each process opens connections of its own. A process
    that was forked from one that has used a bucket cannot use any: a worker's main process must
    leave them to others.

    Args:
        url: Bucket and prefix. Credentials, region and endpoint are in the variables that each
            cloud's own programs read, such as ``AWS_ACCESS_KEY_ID``.
        patience_seconds: How long a request is tried again.
    """

    maps_files = False

    def __init__(self, url: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.url = url
        self._patience = patience_seconds
        self._answers = Answers(self)
        self._opened: ObjectStore | None = None

    def write(self, name: str, parts: Parts) -> None:
        """Write a shard, whole or not at all; one of the same name is replaced."""
        data = b"".join(parts)
        with self._asked(check_name(name)) as store:
            obstore.put(store, name, data, chunk_size=PART_BYTES)

    def create(self, name: str, data: bytes) -> bool:
        """Write a shard, unless there is one of this name: then return False.

        After a reply that was lost, it may be one's own.
        """
        with self._asked(check_name(name)) as store:
            try:
                obstore.put(store, name, data, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def read(self, name: str) -> bytes:
        """Return a shard."""
        with self._asked(check_name(name)) as store:
            return obstore.get(store, name).bytes().to_bytes()

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return parts of a shard, each given by its start and its length in bytes."""
        asked = list(dict.fromkeys(part for part in ranges if part[1]))
        with self._asked(check_name(name)) as store:
            if not asked:
                size = obstore.head(store, name)["size"]
                found = []
            else:
                start, length = asked[0]
                first = obstore.get(store, name, options={"range": (start, start + length)})
                size = first.meta["size"]
                found = [first.bytes()]
            # obstore panics at a range that begins beyond the end.
            if any(start + length > size for start, length in ranges):
                raise describe_lost(self, name)
            if len(asked) > 1:
                starts, lengths = zip(*asked[1:], strict=True)
                found += obstore.get_ranges(store, name, starts=starts, lengths=lengths)
        parts = dict(zip(asked, found, strict=True))
        return [parts[part].to_bytes() if part[1] else b"" for part in ranges]

    def path(self, name: str) -> None:
        """Return None: shards are no files here."""
        check_name(name)

    def delete(self, names: Iterable[str]) -> None:
        """Delete shards; those that are gone are fine."""
        remaining = map(check_name, names)
        while batch := list(islice(remaining, DELETED_AT_ONCE)):
            try:
                self._delete(batch)
            except ShardLostError:  # S3 passes over what is gone; other clouds may stop there
                for name in batch:
                    with suppress(ShardLostError):
                        self._delete([name])

    def names(self, folder: str) -> Iterator[str]:
        """Yield the whole names of all shards below ``folder``, sorted."""
        with self._asked(folder and check_name(folder)) as store:
            for found in obstore.list(store, folder or None):
                yield from (shard["path"] for shard in found)

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the whole names of the folders directly in ``folder``, sorted."""
        with self._asked(folder and check_name(folder)) as store:
            found = obstore.list_with_delimiter(store, folder or None)
        yield from sorted(found["common_prefixes"])

    def _delete(self, names: list[str]) -> None:
        with self._asked(names[0]) as store:
            obstore.delete(store, names)

    @contextmanager
    def _asked(self, name: str) -> Iterator[ObjectStore]:
        """Yield this process's connections, to ask about a shard or a folder.

        Raises:
            RuntimeError: It was forked from one that has used a bucket.
        """
        check_process(self.url)
        if self._opened is None:
            self._opened = self._open()
        with self._answers.explained(name):
            yield self._opened

    def _open(self) -> ObjectStore:
        """Set up the connections; nothing is sent yet.

        Raises:
            SettingsError: A variable of the cloud is missing or cannot be used.
        """
        with self._answers.explained_settings():
            return open_bucket(self.url, self._patience)
