"""Archives: reading the images of a batch from tars and zips, in files or in buckets."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from shoal.shared.errors import UnreadableImageError
from shoal.shared.sources.locations import Location
from shoal.shared.sources.members import ITSELF
from shoal.shared.sources.paths import join
from shoal.shared.sources.ranges import Range, plan_windows
from shoal.shared.sources.unpacking import PackedMember, check_packed, find_content, unpack_content

# Reads bytes of an archive from an offset on, unless its version is another by now.
ReadPart = Callable[[str, bytes, int, int], bytes]
# Begins to read something, and returns what waits for it.
Begin = Callable[[Callable[[], bytes]], Callable[[], bytes]]


def find_packed(source: str, path: str, location: Location) -> PackedMember:
    """Find where an image of a job is packed.

    Args:
        source: Of the job.
        path: Of the image, relative to that.
        location: Of the image, which is in an archive.
    """
    if location.archive == ITSELF:
        return PackedMember(source, path, location)
    return PackedMember(join(source, location.archive), path[len(location.archive) + 1 :], location)


def read_member(member: PackedMember, most_bytes: int, read: ReadPart) -> bytes:
    """Read one member of an archive.

    Raises:
        UnreadableImageError: It cannot be used, or its archive cannot be read.
    """
    for read_one in read_members([member], most_bytes, read):
        if isinstance(read_one, UnreadableImageError):
            raise read_one
        return read_one
    raise AssertionError


def read_members(
    members: Sequence[PackedMember],
    most_bytes: int,
    read: ReadPart,
    begin: Begin = lambda call: call,
) -> Iterator[bytes | UnreadableImageError]:
    """Read members of archives in the order in which they are given.

    Of each part that is in memory at once, what lies together is read at once.

    Args:
        members: They may be in several archives.
        most_bytes: Of a member, unpacked.
        read: What reads from archives; it may raise UnreadableImageError.
        begin: What begins to read before the bytes are wanted; by default, nothing does.
    """
    refused = _check_all(members, most_bytes)
    wanted = [None if place in refused else member for place, member in enumerate(members)]
    windows = plan_windows(wanted)
    pending: list[_Window] = []
    for places, ranges in windows:
        pending.append(_Window(members, places, ranges, read, begin))
        # The next part is begun before this one is used.
        if len(pending) > 1:
            yield from pending.pop(0).unpack(refused)
    for window in pending:
        yield from window.unpack(refused)


def _check_all(members: Sequence[PackedMember], most_bytes: int) -> dict[int, UnreadableImageError]:
    refused = dict[int, UnreadableImageError]()
    for place, member in enumerate(members):
        try:
            check_packed(member, most_bytes)
        except UnreadableImageError as error:
            refused[place] = error
    return refused


class _Window:
    """Members whose bytes are in memory at once."""

    def __init__(
        self,
        members: Sequence[PackedMember],
        places: range,
        ranges: Sequence[Range],
        read: ReadPart,
        begin: Begin,
    ) -> None:
        self._members = members
        self._places = places
        self._read = read
        self._ranges = {place: number for number, r in enumerate(ranges) for place in r.places}
        self._offsets = [each.offset for each in ranges]
        self._left = [len(each.places) for each in ranges]
        self._begun = [begin(partial(self._read_range, each)) for each in ranges]
        self._parts = dict[int, bytes | UnreadableImageError]()

    def _read_range(self, wanted: Range) -> bytes:
        version = self._members[wanted.places[0]].location.version
        return self._read(wanted.archive, version, wanted.offset, wanted.length)

    def unpack(
        self, refused: dict[int, UnreadableImageError]
    ) -> Iterator[bytes | UnreadableImageError]:
        """Yield the content of each member, or why there is none."""
        for place in self._places:
            if place in refused:
                yield refused[place]
                continue
            try:
                yield self._unpack(place)
            except UnreadableImageError as error:
                yield error

    def _unpack(self, place: int) -> bytes:
        member, number = self._members[place], self._ranges[place]
        part = self._part(number)
        offset = self._offsets[number]
        start, end = find_content(member, part, member.location.offset - offset)
        content = part[start:end]
        if len(content) < end - start:  # after longer extra fields than others have
            version = member.location.version
            content = self._read(member.archive, version, offset + start, end - start)
        return unpack_content(member, content)

    def _part(self, number: int) -> bytes:
        """Return the bytes of a range, which are forgotten after its last member."""
        if number not in self._parts:
            try:
                self._parts[number] = self._begun[number]()
            except UnreadableImageError as error:
                self._parts[number] = error
        self._left[number] -= 1
        part = self._parts[number] if self._left[number] else self._parts.pop(number)
        if isinstance(part, UnreadableImageError):
            raise part
        return part
