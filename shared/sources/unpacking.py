"""Unpacking one member of an archive from the bytes that were read of it."""

import struct
import zlib
from dataclasses import dataclass

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.sources.locations import Location
from shoal.shared.sources.members import ZIP, archive_kind, clean_path
from shoal.shared.sources.zip import ENCRYPTED, LOCAL_HEADER_BYTES, read_name

LOCAL = struct.Struct("<4s5H3L2H")
LOCAL_MARK = b"PK\x03\x04"
STORED, DEFLATED = 0, 8
# Deflate packs 258 bytes into two bits at best: what claims more is made to fill memory.
MOST_RATIO = 1032
METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}


@dataclass(frozen=True, slots=True)
class PackedMember:
    """A member of an archive, as it is packed.

    Attributes:
        archive: Where the archive is: a path or a URL.
        path: Of the member in it.
        location: Of the member.
    """

    archive: str
    path: str
    location: Location

    @property
    def is_zipped(self) -> bool:
        """Whether the archive is a zip, whose members have headers of their own."""
        return archive_kind(self.archive) == ZIP


def check_packed(member: PackedMember, most_bytes: int) -> None:
    """Check that a member may be read and unpacked, before a byte of it is.

    Raises:
        UnreadableImageError: It is empty, too large, encrypted, or packed as is not read.
    """
    location = member.location
    if location.length == 0:
        raise UnreadableImageError(FailureReason.EMPTY, "0 bytes")
    if location.length > most_bytes:
        detail = f"{location.length:,} bytes, of {most_bytes:,} allowed"
        raise UnreadableImageError(FailureReason.TOO_MANY_BYTES, detail)
    if location.method == ENCRYPTED:
        detail = "encrypted in its zip: unpack it with its password"
        raise UnreadableImageError(FailureReason.UNSUPPORTED, detail)
    if location.method not in (STORED, DEFLATED):
        name = METHODS.get(location.method, f"method {location.method}")
        detail = f"packed with {name}, which is not read: pack it with Deflate, or unpack it"
        raise UnreadableImageError(FailureReason.UNSUPPORTED, detail)
    stored = location.size or 0
    # Bytes that unpack to next to nothing would fill memory before they are unpacked.
    if stored > most_bytes:
        detail = f"{stored:,} bytes in its archive, of {most_bytes:,} allowed"
        raise UnreadableImageError(FailureReason.TOO_MANY_BYTES, detail)
    most = stored if location.method == STORED else MOST_RATIO * stored
    if location.length > most or (location.method == STORED and location.length != stored):
        detail = f"{location.length:,} bytes are not in {stored:,} bytes of its archive"
        raise UnreadableImageError(FailureReason.DAMAGED, detail)


def find_content(member: PackedMember, part: bytes, place: int) -> tuple[int, int]:
    """Find a member's content, still packed.

    Args:
        member: The member, which was checked.
        part: Bytes of the archive.
        place: Of the member's offset in ``part``.

    Returns:
        Start and end in ``part``; both may be beyond it if too little was read.

    Raises:
        UnreadableImageError: Its own header differs from what the directory says, or is missing.
    """
    size = member.location.size or 0
    if not member.is_zipped:
        return place, place + size
    name_start = place + LOCAL_HEADER_BYTES
    if len(part) < name_start:
        raise UnreadableImageError(FailureReason.TRUNCATED, "its archive ends before it")
    mark, _, flags, method, *_, name_bytes, extra_bytes = LOCAL.unpack_from(part, place)
    if mark != LOCAL_MARK or method != member.location.method:
        raise UnreadableImageError(FailureReason.DAMAGED, "its header in the zip is damaged")
    name_end = name_start + name_bytes
    start = name_end + extra_bytes
    found = read_name(part[name_start:name_end], flags, part[name_end:start])
    if clean_path(found.replace("\\", "/")) != member.path.replace("\\", "/"):
        detail = "its header in the zip has another name than the zip's directory"
        raise UnreadableImageError(FailureReason.DAMAGED, detail)
    return start, start + size


def unpack_content(member: PackedMember, content: bytes) -> bytes:
    """Unpack a member's content, at most as many bytes as its archive says.

    Raises:
        UnreadableImageError: It is cut off or damaged.
    """
    location = member.location
    if len(content) < (location.size or 0):
        raise UnreadableImageError(FailureReason.TRUNCATED, "its archive ends before it")
    if not member.is_zipped:
        return content
    unpacked = content if location.method == STORED else _inflate(content, location.length)
    if len(unpacked) != location.length or zlib.crc32(unpacked) != location.checksum:
        detail = "its length or checksum in the zip is another: it is damaged there"
        raise UnreadableImageError(FailureReason.DAMAGED, detail)
    return unpacked


def _inflate(content: bytes, length: int) -> bytes:
    try:
        # One byte more than there should be shows that there is more; it never fills the memory.
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, length + 1)
    except zlib.error as error:
        raise UnreadableImageError(FailureReason.DAMAGED, f"unpacking failed: {error}") from error
