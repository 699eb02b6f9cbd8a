"""What a place of images does, wherever it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import xxhash

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason


@dataclass(frozen=True, slots=True)
class Listed:
    """One file or object, as it is now.

    Attributes:
        path: Relative to the URL of the store.
        size: In bytes; None if the place does not say.
        version: What changes with the content: 8 bytes; b"" if the place does not say.
    """

    path: str
    size: int | None = None
    version: bytes = b""


class ImageStore(Protocol):
    """Reads images and archives below a URL. Its methods may be called by many threads at once.

    Each of them raises SourceError for what is wrong with the place as a whole, and
    SourceUnavailableError for what may have passed the next time.
    """

    url: str

    def list(self) -> Iterator[Listed]:
        """Yield all that is below the URL, in the order of the paths' bytes."""
        ...

    def stat(self, path: str) -> Listed:
        """Return what is known of one, without its content.

        Raises:
            UnreadableImageError: It is missing, or may not be read.
        """
        ...

    def get(self, path: str, most_bytes: int) -> tuple[bytes, Listed]:
        """Return the content of one, and what is known of it.

        Raises:
            UnreadableImageError: It is missing, may not be read, is empty, or has more than
                ``most_bytes``: then no more than its beginning was read.
        """
        ...

    def get_range(self, path: str, offset: int, length: int) -> tuple[bytes, Listed]:
        """Return a part of the content of one, fewer bytes if it ends before, and what is known.

        Raises:
            UnreadableImageError: It is missing, or may not be read.
        """
        ...


def make_version(tag: object, size: int | None) -> bytes:
    """Make 8 bytes that change with what a place says of an object: an ETag, or times."""
    # Azure puts quotes around an ETag with an object, and none in a list.
    bare = str(tag).strip('"')
    return xxhash.xxh3_64_digest(f"{bare} {size}".encode(errors="surrogateescape"))


def check_size(size: int, most_bytes: int) -> None:
    """Check that an image of so many bytes may be read.

    Raises:
        UnreadableImageError: It is empty or too large.
    """
    if size == 0:
        raise UnreadableImageError(FailureReason.EMPTY, "0 bytes")
    if size > most_bytes:
        detail = f"{size:,} bytes, of {most_bytes:,} allowed"
        raise UnreadableImageError(FailureReason.TOO_MANY_BYTES, detail)
