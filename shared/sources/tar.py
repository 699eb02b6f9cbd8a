"""Tars: where the content of each member is, read from the headers alone.

Python's own tarfile lists 30,000 members a second, reads headers of any size into memory, and
takes the access time in old GNU headers for a part of the name; this lists five times as many.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from shoal.shared.errors import SourceError
from shoal.shared.sources.members import Member, Omitted, clean_path
from shoal.shared.sources.view import View

BLOCK = 512
NO_BLOCK = bytes(BLOCK)
# A longer name, or set of PAX records, is no file system's.
MOST_HEADER_BYTES = 2**20
USTAR = b"ustar\0"

# Types of members, by the byte that says so. What is none of these is a regular file (POSIX).
LINKS = {b"1", b"2"}
DEVICES = {b"3", b"4", b"6"}
DIRECTORY = b"5"
SPARSE = b"S"
PAX = {b"x", b"X"}
LONG_NAME, LONG_LINK, GLOBAL_PAX = b"L", b"K", b"g"
# Parts of backups and of other volumes, and names of volumes.
NO_FILES = {b"D", b"M", b"V", b"N"}
# Their headers can have a size, and yet no content follows.
EMPTY = LINKS | DEVICES | {DIRECTORY}


class _DamagedHeaderError(ValueError):
    """A header cannot be used."""


@dataclass(slots=True)
class _Extension:
    """What the headers before a member's own say of it.

    Attributes:
        name: Its name; None if it is in its own header.
        size: Of its content; None likewise.
        sparse: Whether holes of it are left out.
    """

    name: bytes | None = None
    size: int | None = None
    sparse: bool = False


def list_tar(view: View, omitted: Omitted) -> Iterator[Member]:
    """List the regular files of a tar in the order in which they lie there.

    Of a tar that is cut off or damaged, what is whole is listed, and ``omitted`` says the rest. Of
    links, devices, sparse files and names that lead out of it, it has the numbers.

    Raises:
        SourceError: It is no tar.
    """
    offset, extension = 0, _Extension()
    while len(header := view.read(offset, BLOCK)) == BLOCK and header != NO_BLOCK:
        try:
            start, size, kind = _read_header(header, offset, extension)
            end = start + -(-size // BLOCK) * BLOCK
            if start + size > view.size:
                raise _DamagedHeaderError("it is cut off")
            if kind == SPARSE:
                end += _count_sparse_blocks(view, header, start) * BLOCK
            if kind in (LONG_NAME, *PAX):
                _extend(extension, kind, _read_extension(view, start, size))
        except _DamagedHeaderError as error:
            _note_damage(view, offset, omitted, str(error))
            return
        if kind not in (LONG_NAME, LONG_LINK, *PAX):
            if member := _make_member(header, kind, start, size, extension, omitted):
                yield member
            extension = _Extension()
        offset = end
    if header != NO_BLOCK and header:
        _note_damage(view, offset, omitted, "it is cut off")


def _note_damage(view: View, offset: int, omitted: Omitted, cause: str) -> None:
    """Note from where on a tar cannot be read.

    Raises:
        SourceError: That is its beginning.
    """
    if offset == 0:
        raise SourceError(f"{view.name} is no tar, or it is damaged from its beginning on")
    omitted.damage = f"cannot be read after {offset:,} of {view.size:,} bytes: {cause}"


def _read_header(header: bytes, offset: int, extension: _Extension) -> tuple[int, int, bytes]:
    """Return start and size of a member's content, and its type.

    Raises:
        _DamagedHeaderError: The header's checksum or size is wrong.
    """
    kind = header[156:157]
    # The checksum counts as eight spaces in itself.
    if sum(header) - sum(header[148:156]) + 256 != _read_number(header[148:156]):
        raise _DamagedHeaderError("its next header is damaged")
    if kind in EMPTY:
        size = 0
    elif extension.size is not None and kind not in (GLOBAL_PAX, LONG_NAME, LONG_LINK, *PAX):
        size = extension.size
    else:
        size = _read_number(header[124:136])
    return offset + BLOCK, size, kind


def _read_number(field: bytes) -> int:
    """Read a number in octal digits, or in base 256 as GNU and star write it if it is large."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    try:
        number = int(field.split(b"\0", 1)[0].strip() or b"0", 8)
    except ValueError:
        number = -1
    if number < 0:
        raise _DamagedHeaderError("a number in its next header is damaged")
    return number


def _count_sparse_blocks(view: View, header: bytes, start: int) -> int:
    """Count the blocks that continue a sparse file's header."""
    count, more = 0, header[482:483]
    while more not in (b"\0", b""):
        block = view.read(start + count * BLOCK, BLOCK)
        count, more = count + 1, block[504:505]
    return count


def _read_extension(view: View, start: int, size: int) -> bytes:
    if size > MOST_HEADER_BYTES:
        raise _DamagedHeaderError(f"a header has {size:,} bytes")
    return view.read(start, size)


def _extend(extension: _Extension, kind: bytes, content: bytes) -> None:
    """Take over what a header says of the member after it."""
    if kind == LONG_NAME:
        extension.name = content.split(b"\0", 1)[0]
        return
    for key, value in _read_records(content):
        if key == b"path":
            extension.name = value
        elif key == b"size":
            if not value.isdigit() or len(value) > 19:
                raise _DamagedHeaderError("a size in its next header is damaged")
            extension.size = int(value)
        elif key.startswith(b"GNU.sparse."):
            extension.sparse = True


def _read_records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of PAX records: each is ``LENGTH KEY=VALUE`` and a line feed."""
    place = 0
    while place < len(content) and content[place]:
        digits, space, _ = content[place : place + 20].partition(b" ")
        end = place + int(digits) if space and digits.isdigit() else 0
        key, equals, value = content[place + len(digits) + 1 : end - 1].partition(b"=")
        if not equals or end > len(content) or content[end - 1 : end] != b"\n":
            raise _DamagedHeaderError("records in its next header are damaged")
        yield key, value
        place = end


def _make_member(
    header: bytes,
    kind: bytes,
    start: int,
    size: int,
    extension: _Extension,
    omitted: Omitted,
) -> Member | None:
    """Make a member of what its headers say; None, and counted, if it is never read."""
    name = extension.name if extension.name is not None else _read_name(header)
    if kind in (DIRECTORY, GLOBAL_PAX) or (name.endswith(b"/") and kind not in LINKS):
        return None
    if what := _refuse(kind, extension.sparse):
        omitted.kinds[what] += 1
        return None
    if (path := clean_path(os.fsdecode(name))) is None:
        omitted.kinds["unsafe name"] += 1
        return None
    return Member(path, start, size, size)


def _read_name(header: bytes) -> bytes:
    name = header[:100].split(b"\0", 1)[0]
    # Older GNU headers have times in place of the prefix.
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:263] == USTAR else b""
    return prefix + b"/" + name if prefix else name


def _refuse(kind: bytes, sparse: bool) -> str:
    """Return what a member is if it is never read; "" for a regular file."""
    if kind in LINKS:
        return "link"
    if kind in DEVICES:
        return "device"
    if kind in NO_FILES:
        return "backup record"
    return "sparse file" if sparse or kind == SPARSE else ""
