"""The names of the cache's shards, which alone say how large and how old they are."""

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from shoal.shared.errors import StoreUnavailableError
from shoal.shared.shards import Shards

ROOT = "cache"
HOUR_SECONDS = 3600
SEGMENT = re.compile(r"(?P<hour>[0-9a-f]{8})-(?P<size_bytes>[0-9a-f]{12})-(?P<digest>[0-9a-f]{16})")
HOUR = re.compile(r"[0-9a-f]{8}")


def this_hour() -> int:
    """Return the hours since 1970: more exactly, nobody needs to know when rows were used."""
    return int(time.time()) // HOUR_SECONDS


@dataclass(frozen=True, order=True)
class SegmentName:
    """The name of a segment in its folder.

    Attributes:
        hour: When it was written, in hours since 1970.
        size_bytes: Of its records and its index.
        digest: Of its keys.
    """

    hour: int
    size_bytes: int
    digest: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a name; None if it is not one of a segment."""
        match = SEGMENT.fullmatch(text)
        return cls(*(int(part, 16) for part in match.groups())) if match else None

    def __str__(self) -> str:
        return f"{self.hour:08x}-{self.size_bytes:012x}-{self.digest:016x}"

    def records(self, folder: str) -> str:
        """Return the name of the shard of its records."""
        return f"{folder}/records/{self}"

    def index(self, folder: str) -> str:
        """Return the name of the shard of its index."""
        return f"{folder}/index/{self}"

    def note(self, folder: str, hour: int) -> str:
        """Return the name of the empty shard which says that it was used in this hour."""
        return f"{folder}/used/{self}.{hour:08x}"


def parse_index(name: str) -> SegmentName | None:
    """Read the whole name of an index: its segment; None if it is not one."""
    return _parse_in(name, "index")


def parse_records(name: str) -> SegmentName | None:
    """Read the whole name of records: their segment; None if it is not one."""
    return _parse_in(name, "records")


def _parse_in(name: str, kind: str) -> SegmentName | None:
    before, _, last = name.rpartition("/")
    return SegmentName.parse(last) if before.endswith(f"/{kind}") else None


def parse_note(name: str) -> tuple[SegmentName, int] | None:
    """Read the whole name of a note: its segment, and the hour of its use; None if it is none."""
    text, _, hour = name.rpartition("/used/")[2].partition(".")
    segment = SegmentName.parse(text)
    return (segment, int(hour, 16)) if segment and HOUR.fullmatch(hour) else None


class Uses:
    """Notes that segments of a folder were used, of each the last hour."""

    def __init__(self, shards: Shards, folder: str) -> None:
        self._shards = shards
        self._folder = folder
        self._noted: dict[SegmentName, int] = {}

    def refresh(self) -> None:
        """Read the notes, and delete those that others have replaced.

        Raises:
            StoreUnavailableError: The place of the shards refuses.
        """
        notes = list(filter(None, map(parse_note, self._shards.names(f"{self._folder}/used"))))
        self._noted = {}
        for segment, hour in notes:
            self._noted[segment] = max(hour, self._noted.get(segment, 0))
        old = [s.note(self._folder, hour) for s, hour in notes if hour < self._noted[s]]
        if old:
            self._shards.delete(old)

    def note(self, segment: SegmentName) -> None:
        """Note that a segment is being used, once an hour; it does not matter if that fails."""
        hour = this_hour()
        if max(self._noted.get(segment, 0), segment.hour) < hour:
            self._noted[segment] = hour
            with suppress(StoreUnavailableError):
                self._shards.create(segment.note(self._folder, hour), b"")
