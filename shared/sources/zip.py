"""Zips: where each member is, read from the directory at the end of the file.

Python's own zipfile keeps an object of half a kilobyte for each member, also for millions that are
no images; this keeps 16 bytes, reads the directory in parts, and refuses members that overlap.
"""

import os
import re
import stat
import struct
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from shoal.shared.errors import SourceError
from shoal.shared.sources.members import Member, Omitted, clean_path
from shoal.shared.sources.view import View

# Sections 4.3 to 4.5 of the specification (PKWARE's APPNOTE.TXT).
END = struct.Struct("<4s4H2LH")
END_MARK = b"PK\x05\x06"
LOCATOR = struct.Struct("<4sLQL")
LOCATOR_MARK = b"PK\x06\x07"
END_64 = struct.Struct("<4sQ2H2L4Q")
END_64_MARK = b"PK\x06\x06"
ENTRY = struct.Struct("<4s4B4HL2L5H2L")
ENTRY_MARK = b"PK\x01\x02"
MOST_COMMENT_BYTES = 2**16 - 1
FULL_16, FULL_32 = 2**16 - 1, 2**32 - 1
MOST_NUMBER = 2**63 - 1  # of bytes in any file
LOCAL_HEADER_BYTES = 30  # of a local header, without name and extra fields

ENCRYPTED_FLAGS, UTF_8_FLAG = 0x41, 0x800
# The method of whatever is encrypted: as WinZip writes it, and here for all older ways.
ENCRYPTED = 99
EXTRA_ZIP64, EXTRA_NAME = 0x0001, 0x7075
# Systems whose programs write the file's type, and one whose programs wrote backslashes.
UNIX, MAC_OS_X, FAT = 3, 19, 0
# Entries are read in parts of this size; none is longer than 3 × 65,535 bytes and 46.
PART_BYTES = 2**20
MOST_ENTRY_BYTES = ENTRY.size + 3 * FULL_16


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the entries of a zip are.

    Attributes:
        start: Offset of the first one, in the file.
        size: Of all of them, in bytes.
        shift: Bytes before the zip itself, as of a program that unpacks it.
    """

    start: int
    size: int
    shift: int


def list_zip(view: View, omitted: Omitted) -> Iterator[Member]:
    """List the regular files of a zip, in the order of its directory.

    Of links, devices and names that lead out of it, ``omitted`` has the numbers. Whoever uses what
    was listed waits for the end: only then it is known that members do not overlap.

    Raises:
        SourceError: It is no zip, its directory is damaged, or members overlap.
    """
    directory = _find_directory(view)
    extents = _Extents()
    for entry in _read_entries(view, directory):
        member, name_bytes = _make_member(view, entry, directory.shift, omitted)
        if member is None:
            continue
        least = member.offset + LOCAL_HEADER_BYTES + name_bytes + member.size
        if least > directory.start:
            raise _damaged(view)
        extents.add(member.offset, least)
        yield member
    extents.check(view)


class _Extents:
    """Which bytes members take: each byte is one member's, or a small zip unpacks to anything."""

    def __init__(self) -> None:
        self._starts = array("Q")
        self._ends = array("Q")

    def add(self, start: int, end: int) -> None:
        self._starts.append(start)
        self._ends.append(end)

    def check(self, view: View) -> None:
        """Check that none overlap.

        Raises:
            SourceError: Some do.
        """
        starts, ends = self._starts, self._ends
        if any(later < earlier for earlier, later in pairwise(starts)):
            # If none overlap, the ends are in the order of the starts.
            starts, ends = array("Q", sorted(starts)), array("Q", sorted(ends))
        if any(start < end for start, end in zip(starts[1:], ends[:-1], strict=True)):
            raise SourceError(
                f"{view.name} has members that overlap, as a zip has that is made to fill disks:"
                " make it anew from its images, or unpack them"
            )


def _find_directory(view: View) -> _Directory:
    """Find the directory from the end of the file.

    Raises:
        SourceError: There is none, or it cannot be used.
    """
    tail_start = max(view.size - END.size - MOST_COMMENT_BYTES, 0)
    tail = view.read(tail_start, view.size - tail_start)
    place = _find_end(view, tail)
    (_, disk, first_disk, here, total, size, start, _) = END.unpack_from(tail, place)
    end = tail_start + place
    locator = view.read(end - LOCATOR.size, LOCATOR.size) if end >= LOCATOR.size else b""
    if locator[:4] == LOCATOR_MARK:
        end -= LOCATOR.size + END_64.size
        fields = END_64.unpack(_read_exactly(view, end, END_64.size))
        if fields[0] != END_64_MARK:
            raise _damaged(view)
        (_, _, _, _, disk, first_disk, here, total, size, start) = fields
    if disk or first_disk or here != total:
        raise SourceError(
            f"{view.name} is one of several parts of a zip: join them (zip -s 0), or unpack them"
        )
    if size + start > end:
        raise _damaged(view)
    return _Directory(end - size, size, end - size - start)


def _find_end(view: View, tail: bytes) -> int:
    """Find the record that ends a zip; only its comment comes after that."""
    places = [
        place.start()
        for place in re.finditer(re.escape(END_MARK), tail)
        if place.start() + END.size <= len(tail)
    ]
    after = {place: len(tail) - place - END.size for place in places}
    comments = {place: END.unpack_from(tail, place)[-1] for place in places}
    # A comment may have the mark in it; and some programs leave bytes of their own at the end.
    whole = [place for place in places if comments[place] == after[place]]
    found = whole or [place for place in places if comments[place] < after[place]]
    if not found:
        raise SourceError(
            f"{view.name} is no zip, or it is cut off: the directory at its end is missing"
        )
    return found[-1]


def _damaged(view: View) -> SourceError:
    return SourceError(f"the directory of {view.name} is damaged: copy it anew, or unpack it")


def _read_exactly(view: View, offset: int, length: int) -> bytes:
    content = view.read(offset, length) if offset >= 0 else b""
    if len(content) < length:
        raise _damaged(view)
    return content


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member as the directory has it."""

    fields: tuple[int, ...]
    name: bytes
    extra: bytes


def _read_entries(view: View, directory: _Directory) -> Iterator[_Entry]:
    """Read the directory in parts."""
    place, end = directory.start, directory.start + directory.size
    part, base = b"", place
    while place < end:
        if place + min(MOST_ENTRY_BYTES, end - place) > base + len(part):
            base, part = place, _read_exactly(view, place, min(PART_BYTES, end - place))
        at = place - base
        if len(part) - at < ENTRY.size or part[at : at + 4] != ENTRY_MARK:
            raise _damaged(view)
        fields = ENTRY.unpack_from(part, at)[1:]
        name_bytes, extra_bytes, comment_bytes = fields[11:14]
        name_end = at + ENTRY.size + name_bytes
        extra_end = name_end + extra_bytes
        place += ENTRY.size + name_bytes + extra_bytes + comment_bytes
        if place > end:
            raise _damaged(view)
        yield _Entry(fields, part[at + ENTRY.size : name_end], part[name_end:extra_end])


def _make_member(
    view: View, entry: _Entry, shift: int, omitted: Omitted
) -> tuple[Member | None, int]:
    """Make a member of an entry; None, and counted, if it is never read. With its name's bytes."""
    (_, system, _, _, flags, method, _, _, checksum, size, length, *_, mode, offset) = entry.fields
    name = read_name(entry.name, flags, entry.extra)
    if system == FAT:
        name = name.replace("\\", "/")
    if name.endswith("/"):
        return None, 0
    if what := _refuse(system, mode >> 16):
        omitted.kinds[what] += 1
        return None, 0
    if (path := clean_path(name)) is None:
        omitted.kinds["unsafe name"] += 1
        return None, 0
    if FULL_32 in (size, length, offset):
        length, size, offset = _read_zip64(view, entry.extra, (length, size, offset))
    method = ENCRYPTED if flags & ENCRYPTED_FLAGS else method
    return Member(path, offset + shift, size, length, method, checksum), len(entry.name)


def read_name(name: bytes, flags: int, extra: bytes) -> str:
    """Read a member's name: in UTF-8 if it is, otherwise as on the first PCs."""
    if name.isascii():
        return name.decode()
    if flags & UTF_8_FLAG:
        return os.fsdecode(name)
    # Info-ZIP's field: a version, the checksum of the name that it stands for, and that in UTF-8.
    unicode_name = _find_extra(extra, EXTRA_NAME)
    if unicode_name[1:5] == struct.pack("<L", zlib.crc32(name)):
        return os.fsdecode(unicode_name[5:])
    try:
        return name.decode()  # macOS and Info-ZIP write UTF-8 and do not say so
    except UnicodeDecodeError:
        return name.decode("cp437")


def _find_extra(extra: bytes, wanted: int) -> bytes:
    """Find an extra field by its number; b"" if there is none."""
    place = 0
    while place + 4 <= len(extra):
        number, size = struct.unpack_from("<2H", extra, place)
        if number == wanted:
            return extra[place + 4 : place + 4 + size]
        place += 4 + size
    return b""


def _read_zip64(view: View, extra: bytes, values: tuple[int, int, int]) -> tuple[int, int, int]:
    """Replace those values that do not fit into 32 bits by those in the extra field.

    Raises:
        SourceError: The field is missing or too short, or a value is no file's.
    """
    field, place, found = _find_extra(extra, EXTRA_ZIP64), 0, list[int]()
    for value in values:
        if value == FULL_32:
            if len(field) < place + 8:
                raise _damaged(view)
            value, place = int.from_bytes(field[place : place + 8], "little"), place + 8
        found.append(value)
    if max(found) > MOST_NUMBER:
        raise _damaged(view)
    return found[0], found[1], found[2]


def _refuse(system: int, mode: int) -> str:
    """Return what a member is if it is never read; "" for a regular file."""
    kind = stat.S_IFMT(mode) if system in (UNIX, MAC_OS_X) else 0
    if kind in (0, stat.S_IFREG):
        return ""
    return "link" if kind == stat.S_IFLNK else "device"
