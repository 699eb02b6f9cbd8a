"""What a place of shards does, wherever it is."""

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from shoal.shared.errors import ShardLostError

# Tells one place from another: a directory that is not mounted is an empty one.
ID_NAME = "shoal-shards-id"
NAME = re.compile(r"(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*", re.ASCII)

Parts = Iterable[bytes | memoryview]


class Shards(Protocol):
    """Keeps bytes under names such as ``jobs/JOB/features/000012-TOKEN-CHECKSUM``.

    Names are of ASCII letters, digits, ``_``, ``-`` and ``.``, in folders separated by ``/``; no
    part begins with a dot. Every method raises ShardsUnavailableError, or another
    StoreUnavailableError, while the place refuses.

    Attributes:
        url: Where it is, without credentials, for messages.
        maps_files: Whether ``path`` returns files, which may be mapped into memory.
    """

    url: str
    maps_files: bool

    def write(self, name: str, parts: Parts) -> None:
        """Write a shard, whole or not at all; one of the same name is replaced."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Write a shard, unless there is one of this name: then return False."""
        ...

    def read(self, name: str) -> bytes:
        """Return a shard.

        Raises:
            ShardLostError: There is none of this name.
        """
        ...

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return parts of a shard, each given by its start and its length in bytes.

        Raises:
            ShardLostError: There is none of this name, or it is shorter.
        """
        ...

    def path(self, name: str) -> Path | None:
        """Return the file of a shard, which may not exist; None where shards are no files."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Delete shards; those that are gone are fine."""
        ...

    def names(self, folder: str) -> Iterator[str]:
        """Yield the whole names of all shards below ``folder``, sorted; "" is the whole place."""
        ...

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the whole names of the folders directly in ``folder``, sorted."""
        ...


def find_id(place: Shards) -> str:
    """Return the id of a place, which gets one when it is first used."""
    fresh = secrets.token_hex(8).encode()
    # A machine that loses its power may leave an empty file: without an id, it would be Redis.
    if not place.create(ID_NAME, fresh) and not read_id(place):
        place.write(ID_NAME, [fresh])
    return read_id(place)


def read_id(place: Shards) -> str:
    """Return the id of a place.

    Raises:
        ShardLostError: It has none yet.
        StoreUnavailableError: It refuses for now; a directory without an id does.
    """
    return place.read(ID_NAME).decode(errors="replace")


def check_name(name: str) -> str:
    """Return ``name`` if it may be one of a shard; raise ValueError if not."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a shard")
    return name


def describe_lost(place: Shards, name: str) -> ShardLostError:
    """Say that a shard is not there."""
    return ShardLostError(f"Shard {name} is missing or incomplete in {place.url}.")
