"""Files: the bytes of a regular file within the limits, or the reason why it is not read."""

import errno
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import xxhash

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.values import ValueRanges

if sys.platform == "darwin":
    import fcntl

# A fixed list in a fixed order: what a file is must not depend on which plugins earlier
# files made Pillow import, and some plugins claim files that are not their own.
FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM"),
    *("JPEG2000", "PSD", "QOI", "ICO"),
)

# O_NONBLOCK: opening a FIFO without a writer would wait for ever.
OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

OPEN_REASONS = {
    errno.ENOENT: FailureReason.MISSING,
    errno.ENOTDIR: FailureReason.MISSING,
    errno.ELOOP: FailureReason.MISSING,
    errno.ENAMETOOLONG: FailureReason.MISSING,
    errno.EACCES: FailureReason.NO_PERMISSION,
    errno.EPERM: FailureReason.NO_PERMISSION,
    errno.ENXIO: FailureReason.NOT_A_FILE,  # a socket
    errno.EOPNOTSUPP: FailureReason.NOT_A_FILE,  # a socket on macOS
    errno.ENODEV: FailureReason.NOT_A_FILE,
}

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class ReadFile(os.PathLike[str]):
    """A file that was read: ``read_file`` returns its content, whatever its path leads to by now.

    Attributes:
        path: Where it was.
        content: All of its bytes.
    """

    path: str
    content: bytes

    def __fspath__(self) -> str:
        """Return the path."""
        return self.path


@dataclass(frozen=True)
class ImageLimits:
    """What may be read, and within which limits values are shown.

    Attributes:
        max_bytes: A larger file is not read.
        max_pixels: An image of more pixels is not decoded.
        roots: Resolved directories to read under; empty is anywhere.
        find_ranges: Called for an image of more than eight bits: which values are black and white.
    """

    max_bytes: int
    max_pixels: int
    roots: tuple[Path, ...] = ()
    find_ranges: Callable[[], ValueRanges] = ValueRanges


def read_file(path: StrPath, limits: ImageLimits) -> bytes:
    """Read a regular file within the limits.

    Raises:
        UnreadableImageError: It is missing, unreadable, not a file, outside the roots, empty or
            too large.
    """
    if isinstance(path, ReadFile):
        return path.content
    descriptor = open_file(path, limits.roots)
    try:
        return _read_bytes(descriptor, _check_file(os.fstat(descriptor), limits.max_bytes))
    except OSError as error:
        raise UnreadableImageError(FailureReason.DAMAGED, f"reading failed: {error}") from error
    finally:
        os.close(descriptor)


def open_file(path: StrPath, roots: tuple[Path, ...]) -> int:
    """Open what is at a path, and return its descriptor.

    Raises:
        UnreadableImageError: It is missing, may not be read, or is outside the roots.
    """
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except (OSError, ValueError) as error:
        raise _explain_opening(error, path, roots) from error
    try:
        # What was opened is checked, not its name: a link changed in between leads nowhere.
        if roots:
            _check_roots(opened_path(descriptor), roots)
    except UnreadableImageError:
        os.close(descriptor)
        raise
    except OSError as error:
        os.close(descriptor)
        raise UnreadableImageError(FailureReason.DAMAGED, f"reading failed: {error}") from error
    return descriptor


def opened_path(descriptor: int) -> str:
    """Return the path of an open file, with links resolved."""
    if sys.platform == "darwin":
        return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    # pathlib would take as long as all the rest of opening a file.
    return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115


def _check_roots(resolved: str, roots: tuple[Path, ...]) -> None:
    """Refuse a path, with links resolved, that is under none of the roots."""
    # On text: pathlib's is_relative_to takes 7 µs for each root and image.
    if not resolved.startswith(tuple(f"{str(root).rstrip('/')}/" for root in roots)):
        raise UnreadableImageError(
            FailureReason.OUTSIDE_ROOTS, "not under a directory of SHOAL_IMAGE_ROOTS"
        )


def _check_file(status: os.stat_result, max_bytes: int) -> int:
    """Return the size in bytes of a file; refuse one that may not be read."""
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImageError(FailureReason.NOT_A_FILE, "not a regular file")
    if status.st_size == 0:
        raise UnreadableImageError(FailureReason.EMPTY, "0 bytes")
    if status.st_size > max_bytes:
        detail = f"{status.st_size:,} bytes, of {max_bytes:,} allowed"
        raise UnreadableImageError(FailureReason.TOO_MANY_BYTES, detail)
    return status.st_size


def _read_bytes(descriptor: int, size: int) -> bytes:
    """Read ``size`` bytes of a file, or fewer if it ends earlier."""
    content = os.read(descriptor, size)
    # One read is enough as a rule; but the kernel stops at 2 GiB, network file systems anywhere.
    while len(content) < size and (more := os.read(descriptor, size - len(content))):
        content += more
    return content


def _explain_opening(
    error: OSError | ValueError, path: StrPath, roots: tuple[Path, ...]
) -> UnreadableImageError:
    """Explain why a path could not be opened; reveal nothing about what lies outside the roots."""
    if not isinstance(error, OSError):
        return UnreadableImageError(FailureReason.MISSING, str(error))  # a NUL in the name
    if roots:
        _check_roots(os.path.realpath(path), roots)
    reason = OPEN_REASONS.get(error.errno or 0, FailureReason.DAMAGED)
    return UnreadableImageError(reason, error.strerror or str(error))


def is_bare(folder: StrPath) -> bool:
    """Return whether a folder is missing or empty, as a mount point with nothing mounted is."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError as error:
        return is_missing(error)


def is_missing(error: OSError) -> bool:
    """Return whether an error says that there is no such file, or that its link leads nowhere."""
    return OPEN_REASONS.get(error.errno or 0) is FailureReason.MISSING


def digest_content(content: bytes) -> int:
    """Digest a file's content to 64 bits (XXH3).

    Of 40,000 folders of 30 million different files each, one has two files with the same digest.
    """
    return xxhash.xxh3_64_intdigest(content)


def new_digest() -> xxhash.xxh3_64:
    """Return what makes the digest of ``digest_content`` from parts of a content."""
    return xxhash.xxh3_64()
